// Package check holds the manifests and docker-compose.yml against what Kubernetes and Docker Compose publish of their forms, and
// against each other.
package check

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// kinds are the types that Kubernetes publishes for what the manifests hold.
var kinds = map[string]func() any{
	"apps/v1 Deployment":                     func() any { return &appsv1.Deployment{} },
	"autoscaling/v2 HorizontalPodAutoscaler": func() any { return &autoscalingv2.HorizontalPodAutoscaler{} },
	"networking.k8s.io/v1 NetworkPolicy":     func() any { return &networkingv1.NetworkPolicy{} },
	"policy/v1 PodDisruptionBudget":          func() any { return &policyv1.PodDisruptionBudget{} },
	"v1 ConfigMap":                           func() any { return &corev1.ConfigMap{} },
	"v1 Namespace":                           func() any { return &corev1.Namespace{} },
	"v1 Secret":                              func() any { return &corev1.Secret{} },
	"v1 Service":                             func() any { return &corev1.Service{} },
}

// gatewayGrace is how long the gateway gives calls in hand, in seconds.
const gatewayGrace = 10

// objects reads every manifest, and refuses fields that its kind does not have. The key is "<kind> <name>".
func objects(t *testing.T) map[string]any {
	t.Helper()
	files, err := filepath.Glob("../*.yaml")
	require.NoError(t, err)
	found := map[string]any{}
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			var head metav1.PartialObjectMetadata
			require.NoError(t, yaml.Unmarshal(document, &head), file)
			kind := head.APIVersion + " " + head.Kind
			require.Contains(t, kinds, kind, file)
			object := kinds[kind]()
			require.NoError(t, yaml.UnmarshalStrict(document, object), "%s: %s", file, kind)
			found[head.Kind+" "+head.Name] = object
		}
	}
	return found
}

func at[T any](t *testing.T, all map[string]any, name string) T {
	t.Helper()
	object, ok := all[name].(T)
	require.True(t, ok, name)
	return object
}

// settings is the part of sendpace.yaml that the manifests must fit.
type settings struct {
	Redis struct {
		PasswordFile string `json:"password_file"`
		CAFile       string `json:"tls_ca_file"`
	} `json:"redis"`
	Worker struct {
		ShutdownTimeout string `json:"shutdown_timeout"`
		HTTPAddr        string `json:"http_addr"`
	} `json:"worker"`
	Gateway struct {
		Addr        string `json:"addr"`
		MetricsAddr string `json:"metrics_addr"`
	} `json:"gateway"`
	Pages []struct {
		File string `json:"access_token_file"`
	} `json:"pages"`
}

func config(t *testing.T, all map[string]any) settings {
	t.Helper()
	var s settings
	text := at[*corev1.ConfigMap](t, all, "ConfigMap sendpace").Data["sendpace.yaml"]
	require.NoError(t, yaml.Unmarshal([]byte(text), &s))
	return s
}

func ports(d *appsv1.Deployment) map[string]string {
	found := map[string]string{}
	for _, p := range d.Spec.Template.Spec.Containers[0].Ports {
		found[p.Name] = fmt.Sprintf("0.0.0.0:%d", p.ContainerPort)
	}
	return found
}

func TestDeployments(t *testing.T) {
	t.Parallel()
	all := objects(t)
	for _, name := range []string{"worker", "gateway", "monitor"} {
		d := at[*appsv1.Deployment](t, all, "Deployment "+name)
		pod := d.Spec.Template
		assert.Equal(t, d.Spec.Selector.MatchLabels, pod.Labels, name)
		assert.Equal(t, name, pod.Labels["app.kubernetes.io/component"])
		c := pod.Spec.Containers[0]
		assert.Equal(t, name, c.Args[0])
		assert.True(t, *pod.Spec.SecurityContext.RunAsNonRoot, name)
		assert.True(t, *c.SecurityContext.ReadOnlyRootFilesystem, name)
		assert.False(t, *c.SecurityContext.AllowPrivilegeEscalation, name)
		assert.False(t, c.Resources.Limits.Memory().IsZero(), name)
		volumes := map[string]bool{}
		for _, v := range pod.Spec.Volumes {
			volumes[v.Name] = true
		}
		for _, m := range c.VolumeMounts {
			assert.True(t, volumes[m.Name], "%s: volume %s", name, m.Name)
		}
		for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe} {
			if name != "monitor" {
				require.NotNil(t, probe, name)
				assert.Contains(t, ports(d), probe.HTTPGet.Port.StrVal, name)
			}
		}
	}
}

func TestTheManifestsFitTheConfiguration(t *testing.T) {
	t.Parallel()
	all := objects(t)
	s := config(t, all)
	worker, gateway := at[*appsv1.Deployment](t, all, "Deployment worker"), at[*appsv1.Deployment](t, all, "Deployment gateway")
	drain, err := time.ParseDuration(s.Worker.ShutdownTimeout)
	require.NoError(t, err)
	assert.Greater(t, time.Duration(*worker.Spec.Template.Spec.TerminationGracePeriodSeconds)*time.Second, drain+5*time.Second)
	assert.Equal(t, map[string]string{"metrics": s.Worker.HTTPAddr}, ports(worker))
	assert.Equal(t, map[string]string{"http": s.Gateway.Addr, "metrics": s.Gateway.MetricsAddr}, ports(gateway))
	pod := gateway.Spec.Template.Spec
	leaves := pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds
	assert.Positive(t, leaves, "no call is refused while the Service still sends some")
	assert.Greater(t, *pod.TerminationGracePeriodSeconds, leaves+gatewayGrace)
	secret := at[*corev1.Secret](t, all, "Secret sendpace")
	files := []string{s.Redis.PasswordFile, s.Redis.CAFile}
	for _, p := range s.Pages {
		files = append(files, p.File)
	}
	for _, f := range files {
		assert.Equal(t, "/etc/sendpace-secret", filepath.Dir(f))
		assert.Contains(t, secret.StringData, filepath.Base(f))
	}
}

func TestWhatSelectsPodsFindsThem(t *testing.T) {
	t.Parallel()
	all := objects(t)
	for _, name := range []string{"worker", "gateway"} {
		labels := at[*appsv1.Deployment](t, all, "Deployment "+name).Spec.Template.Labels
		assert.Equal(t, labels, at[*policyv1.PodDisruptionBudget](t, all, "PodDisruptionBudget "+name).Spec.Selector.MatchLabels)
	}
	gateway := at[*appsv1.Deployment](t, all, "Deployment gateway")
	service := at[*corev1.Service](t, all, "Service gateway")
	assert.Equal(t, gateway.Spec.Template.Labels, service.Spec.Selector)
	assert.Contains(t, ports(gateway), service.Spec.Ports[0].TargetPort.StrVal)
	hpa := at[*autoscalingv2.HorizontalPodAutoscaler](t, all, "HorizontalPodAutoscaler worker").Spec
	assert.Equal(t, "Deployment worker", hpa.ScaleTargetRef.Kind+" "+hpa.ScaleTargetRef.Name)
	assert.Nil(t, at[*appsv1.Deployment](t, all, "Deployment worker").Spec.Replicas, "the autoscaler's to choose")
	for _, m := range hpa.Metrics {
		if m.External != nil {
			assert.Equal(t, "sendpace_queue_jobs", m.External.Metric.Name)
			assert.Equal(t, map[string]string{"state": "active"}, m.External.Metric.Selector.MatchLabels)
			assert.Positive(t, m.External.Target.AverageValue.CmpInt64(0))
			assert.Negative(t, m.External.Target.AverageValue.CmpInt64(125), "one page gets half of a worker's 250 places at most")
		}
	}
	for _, rule := range at[*networkingv1.NetworkPolicy](t, all, "NetworkPolicy sendpace").Spec.Ingress {
		assert.Contains(t, ports(gateway), rule.Ports[0].Port.StrVal)
	}
}

func TestKustomizationNamesEveryManifest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../kustomization.yaml")
	require.NoError(t, err)
	var k struct {
		Resources []string `json:"resources"`
	}
	require.NoError(t, yaml.Unmarshal(text, &k))
	files, err := filepath.Glob("../*.yaml")
	require.NoError(t, err)
	var want []string
	for _, f := range files {
		if name := filepath.Base(f); name != "kustomization.yaml" && name != "secret.example.yaml" {
			want = append(want, name)
		}
	}
	assert.ElementsMatch(t, want, k.Resources)
}

// Compose's own loader checks the file against its schema.
func TestCompose(t *testing.T) {
	t.Parallel()
	options, err := cli.NewProjectOptions([]string{"../../../../docker-compose.yml"}, cli.WithName("sendpace"))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	for name, s := range project.Services {
		for _, p := range s.Ports {
			assert.Equal(t, "127.0.0.1", p.HostIP, "%s is for this machine alone", name)
		}
		assert.Equal(t, "unless-stopped", s.Restart, "%s is there again after the machine, as the others are", name)
	}
	var inside settings
	require.NoError(t, yaml.Unmarshal([]byte(project.Configs["sendpace"].Content), &inside))
	assert.Equal(t, "0.0.0.0:9100", inside.Worker.HTTPAddr, "where Prometheus and the health check look")
	assert.Greater(t, time.Duration(*project.Services["worker"].StopGracePeriod), 90*time.Second, "the default of worker.shutdown_timeout")
	assert.Greater(t, time.Duration(*project.Services["gateway"].StopGracePeriod), gatewayGrace*time.Second)
}
