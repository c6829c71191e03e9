package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Authority signs certificates for a test.
type Authority struct {
	// File is its own certificate, in PEM form.
	File string

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority that nobody else trusts.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{cert: &x509.Certificate{
		Subject: pkix.Name{CommonName: "an authority"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}}
	a.File, a.key = sign(t, a.cert, a.cert, nil)
	return a
}

// Issue signs a certificate for a host, valid until then, and returns the files of the certificate and of its key.
func (a *Authority) Issue(t testing.TB, host string, until time.Time) (certFile, keyFile string) {
	t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: host}, NotAfter: until}
	if ip := net.ParseIP(host); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{host}
	}
	certFile, key := sign(t, c, a.cert, a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return certFile, writePEM(t, "PRIVATE KEY", der)
}

// sign signs c with the issuer's key, or with its own if there is none, and returns the file of it.
func sign(t testing.TB, c, issuer *x509.Certificate, by *ecdsa.PrivateKey) (string, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "CERTIFICATE", der), key
}

func writePEM(t testing.TB, kind string, der []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TLSServer starts a redis-server that speaks only TLS, with a certificate for host, and asks for one of ca if clients is true.
func TLSServer(t testing.TB, ca *Authority, host string, until time.Time, clients bool) string {
	t.Helper()
	cert, key := ca.Issue(t, host, until)
	ask := map[bool]string{true: "yes", false: "no"}[clients]
	addr := FreeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	_, stop, err := start(
		&redis.Options{Addr: addr, TLSConfig: ca.config(cert, key)},
		"--dir", t.TempDir(), "--save", "", "--port", "0", "--tls-port", port, "--tls-auth-clients", ask,
		"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca.File)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return addr
}

// config trusts everybody: it is for finding out whether a server answers.
func (a *Authority) config(cert, key string) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // see above
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			return &pair, err
		},
	}
}
