package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

const (
	// DefaultPath is read if no path is given and it is there.
	DefaultPath = "sendpace.yaml"
	// pathEnv is the variable that names the file.
	pathEnv = envPrefix + "CONFIG"
	// maxFile holds thousands of pages. The cap keeps a wrong path, such as a device, from filling the memory.
	maxFile = 4 << 20
	// maxSecretFile is far above the length of any token.
	maxSecretFile = 64 << 10
	// flagKey is the annotation that Bind leaves on a flag.
	flagKey = "sendpace/config-key"
)

// Source says where a configuration comes from.
type Source struct {
	// Path is the YAML file. Empty means the one that SENDPACE_CONFIG names in Env. A file that is named must be there;
	// if none is, DefaultPath is read if it is there.
	Path string
	// Env are variables as os.Environ returns them.
	Env []string
	// Flags are parsed flags. Those that were given and that Bind has connected with a key override it.
	Flags *pflag.FlagSet
}

// Bind connects a flag with the key that it overrides, such as redis with redis.url.
func Bind(flags *pflag.FlagSet, flag, key string) error {
	for _, f := range fields {
		if f.name == key {
			return flags.SetAnnotation(flag, flagKey, []string{key})
		}
	}
	return fmt.Errorf("config: there is no key %s", key)
}

// Load reads the configuration and checks it. The error is an *Error with every problem, and then there is no
// Config; warnings are returned either way.
func Load(src Source) (*Config, []Warning, error) {
	l := &loader{cfg: Default(), env: variables(src.Env), from: map[string]string{}, path: src.Path}
	if l.path == "" {
		l.path = l.env[pathEnv]
	}
	data, err := l.open()
	if err != nil {
		l.problem("", "%s", err)
		return nil, nil, &Error{Path: l.path, Problems: l.problems}
	}
	l.load(data, src)
	if len(l.problems) > 0 {
		return nil, l.warnings, &Error{Path: l.path, Problems: l.problems}
	}
	return l.cfg, l.warnings, nil
}

type loader struct {
	path     string
	env      map[string]string
	cfg      *Config
	from     map[string]string // key → variable or flag that set it
	problems []Problem
	warnings []Warning
}

func (l *loader) problem(key, format string, args ...any) {
	l.problems = append(l.problems, Problem{Key: key, Text: fmt.Sprintf(format, args...), From: l.from[key]})
}

// open returns the file's text, or nothing if there is no file and none was asked for.
func (l *loader) open() ([]byte, error) {
	path := l.path
	if path == "" {
		path = DefaultPath
	}
	data, err := readCapped(path, maxFile)
	if l.path == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	l.path = path
	l.cfg.Files = append(l.cfg.Files, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("there is no such file; check --config or " + pathEnv)
	}
	return data, err
}

func (l *loader) load(data []byte, src Source) {
	k := koanf.New(".")
	layers := []koanf.Provider{
		confmap.Provider(l.file(data), ""),
		env.Provider(".", env.Opt{
			Prefix:        envPrefix,
			TransformFunc: l.fromEnv(),
			EnvironFunc:   func() []string { return src.Env },
		}),
	}
	if src.Flags != nil {
		layers = append(layers, posflag.ProviderWithFlag(src.Flags, ".", nil, l.fromFlag))
	}
	for _, layer := range layers {
		if err := k.Load(layer, nil); err != nil {
			l.problem("", "cannot be read: %s", err)
		}
	}
	for _, f := range fields {
		if raw := k.Get(f.name); raw != nil {
			if problem := f.set(l.cfg, raw); problem != "" {
				l.problem(f.name, "%s", problem)
			}
		}
	}
	l.redis()
	l.pages(k.Get("pages"))
	l.login()
	l.together()
}

// file parses the YAML, and keeps of it what has a place in a Config.
func (l *loader) file(data []byte) map[string]any {
	raw, err := yaml.Parser().Unmarshal(data)
	if err != nil {
		l.problem("", "%s", yamlProblem(err.Error()))
		return nil
	}
	return l.known(raw)
}

var (
	yamlDuplicate = regexp.MustCompile(`line \d+: mapping key "[a-z_]{1,30}" already defined at line \d+`)
	yamlPlain     = regexp.MustCompile(`^(line \d+: )?[A-Za-z ,]+('[^A-Za-z0-9]+'[A-Za-z ,]*)*$`)
)

// yamlProblem passes on only those words of the parser that cannot hold a piece of the file.
func yamlProblem(text string) string {
	text = strings.TrimPrefix(text, "yaml: ")
	switch duplicate := yamlDuplicate.FindString(text); {
	case duplicate != "":
		return "is not valid YAML: " + duplicate
	case yamlPlain.MatchString(text):
		return "is not valid YAML: " + text
	case strings.Contains(text, "cannot unmarshal"):
		return "is not a list of keys; begin as in redis: {url: \"redis://127.0.0.1:6379\"}"
	}
	return "is not valid YAML; check its indentation and quotes"
}

func (l *loader) fromEnv() func(string, string) (string, any) {
	keys := map[string]string{}
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = envName(f.name)
		keys[known[i]] = f.name
	}
	return func(name, value string) (string, any) {
		key, ok := keys[name]
		if ok && value != "" {
			l.from[key] = name
			return key, value
		}
		if !ok && name != pathEnv {
			// Not a problem: others may set variables that begin the same way, as Kubernetes does for services.
			if near := nearest(known, name); near != "" {
				l.warn(printable(name), "this variable is not read; did you mean %s?", near)
			}
		}
		return "", nil
	}
}

func (l *loader) fromFlag(f *pflag.Flag) (string, any) {
	key := f.Annotations[flagKey]
	if len(key) != 1 || !f.Changed {
		return "", nil
	}
	l.from[key[0]] = "--" + f.Name
	return key[0], f.Value.String()
}

func variables(environ []string) map[string]string {
	vars := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			vars[name] = value
		}
	}
	return vars
}

// readCapped reads a file of at most limit bytes. Its errors do not repeat the path; the caller's key stands for it.
func readCapped(path string, limit int64) ([]byte, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, reason(err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("is larger than %d KiB, the most that is read", limit>>10)
	}
	return data, nil
}

func reason(err error) error {
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return fmt.Errorf("cannot be read: %w", pathErr.Err)
	}
	return fmt.Errorf("cannot be read: %w", err)
}
