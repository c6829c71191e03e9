package config

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
)

// redis reads the files of the section redis, and checks its keys against its URL.
func (l *loader) redis() {
	r := &l.cfg.Redis
	r.PasswordFile = l.named("redis.password_file", r.PasswordFile)
	r.TLSCAFile = l.named("redis.tls_ca_file", r.TLSCAFile)
	r.TLSCertFile = l.named("redis.tls_cert_file", r.TLSCertFile)
	r.TLSKeyFile = l.named("redis.tls_key_file", r.TLSKeyFile)
	address, err := ParseRedis(r.URL.Reveal())
	if err != nil || l.hasProblem("redis.url") {
		return // which has been said
	}
	if r.PasswordFile != "" {
		if !address.Password.IsZero() {
			l.problem("redis.password_file", "is given beside a password in redis.url; take one of the two away")
		}
		r.Password = l.readSecret("redis.password_file", r.PasswordFile, secret)
	}
	if address.TLS {
		r.TLS = l.redisTLS(r)
		return
	}
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"redis.tls_ca_file", r.TLSCAFile != ""}, {"redis.tls_cert_file", r.TLSCertFile != ""},
		{"redis.tls_key_file", r.TLSKeyFile != ""}, {"redis.tls_server_name", r.TLSServerName != ""},
		{"redis.tls_insecure", r.TLSInsecure},
	} {
		if k.set {
			l.problem(k.name, "is for TLS, and redis.url speaks none; begin it with rediss, as in rediss://127.0.0.1:6379")
		}
	}
}

// named returns a file's name as the process can open it, and remembers the file as one that was read.
func (l *loader) named(key, name string) string {
	if name == "" || l.hasProblem(key) {
		return ""
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(l.path), name)
	}
	l.cfg.Files = append(l.cfg.Files, name)
	return name
}

func (l *loader) redisTLS(r *Redis) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: r.TLSServerName}
	if r.TLSCAFile != "" {
		c.RootCAs = l.authorities("redis.tls_ca_file", r.TLSCAFile)
	}
	switch {
	case r.TLSCertFile != "" && r.TLSKeyFile != "":
		certificate := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(r.TLSCertFile, r.TLSKeyFile)
			return &pair, err
		}
		if _, err := certificate(); err != nil {
			l.problem("redis.tls_cert_file", "cannot be used with redis.tls_key_file; both must be PEM files, and of one pair")
		}
		// Read for each connection: certificates are renewed under a running process.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate() }
	case r.TLSCertFile != "":
		l.problem("redis.tls_key_file", "is missing beside redis.tls_cert_file; type the name of the file with its key")
	case r.TLSKeyFile != "":
		l.problem("redis.tls_cert_file", "is missing beside redis.tls_key_file; type the name of the file with the certificate")
	}
	if r.TLSInsecure {
		c.InsecureSkipVerify = true
		l.warn("redis.tls_insecure", "whoever answers in Redis's place gets its password and all messages; use redis.tls_ca_file instead")
	}
	return c
}

// authorities are the certificates of a PEM file.
func (l *loader) authorities(key, name string) *x509.CertPool {
	data, err := readCapped(name, maxFile)
	if err != nil {
		l.problem(key, "the file %s; check its name and who may read it", err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		l.problem(key, "the file holds no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----")
	}
	return pool
}
