// Command eso-template renders Secret templates exactly as External Secrets Operator does: it calls the
// function that ESO's controller itself calls (template engine v2) on an ExternalSecret's
// spec.target.template.data.
//
// It reads {"templates": {key: template}, "data": {name: base64 of value}} from standard input and prints
// {key: base64 of rendered value}; for an array of such objects it prints the array of results.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	esv1 "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
	template "github.com/external-secrets/external-secrets/pkg/template/v2"
	corev1 "k8s.io/api/core/v1"
)

// rendering is one Secret to be: its templates, and the fetched values that they may name.
type rendering struct {
	Templates map[string]string `json:"templates"`
	Data      map[string][]byte `json:"data"`
}

// secretData returns the rendered data of the Secret; encoding/json reads and writes []byte as base64.
func (r rendering) secretData() (map[string][]byte, error) {
	templates := make(map[string][]byte, len(r.Templates))
	for key, text := range r.Templates {
		templates[key] = []byte(text)
	}
	secret := corev1.Secret{Data: map[string][]byte{}}
	err := template.Execute(templates, r.Data, esv1.TemplateScopeValues, esv1.TemplateTargetData, &secret)
	return secret.Data, err
}

func run(in io.Reader, out io.Writer) error {
	input, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(input), []byte("[")) {
		var single rendering
		if err := json.Unmarshal(input, &single); err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		result, err := single.secretData()
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(result)
	}
	var batch []rendering
	if err := json.Unmarshal(input, &batch); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	results := make([]map[string][]byte, len(batch))
	for i, item := range batch {
		if results[i], err = item.secretData(); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
	}
	return json.NewEncoder(out).Encode(results)
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "eso-template:", err)
		os.Exit(1)
	}
}
