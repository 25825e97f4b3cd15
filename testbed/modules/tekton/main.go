// Validates Tekton's Tasks and Pipelines as its own admission webhook does: no unknown field, and every rule of its types.
// Usage: tekton FILE...; prints one line for each problem and exits with 1 if there is any.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"knative.dev/pkg/apis"
	strict "sigs.k8s.io/yaml"
)

type object interface {
	apis.Defaultable
	apis.Validatable
}

type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

func check(document []byte) error {
	var head header
	if err := strict.Unmarshal(document, &head); err != nil {
		return err
	}
	if head.APIVersion != "tekton.dev/v1" {
		return nil
	}
	var found object
	switch head.Kind {
	case "Task":
		found = &v1.Task{}
	case "Pipeline":
		found = &v1.Pipeline{}
	case "PipelineRun":
		found = &v1.PipelineRun{}
	case "TaskRun":
		found = &v1.TaskRun{}
	default:
		return fmt.Errorf("unknown kind %s", head.Kind)
	}
	if err := strict.UnmarshalStrict(document, found); err != nil {
		return err
	}
	ctx := context.Background()
	found.SetDefaults(ctx)
	if problem := found.Validate(ctx); problem != nil {
		return fmt.Errorf("%s: %w", head.Kind, problem)
	}
	return nil
}

func main() {
	bad := false
	for _, name := range os.Args[1:] {
		content, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
		for {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				err = check(document)
			}
			if err != nil {
				fmt.Printf("%s: %v\n", name, err)
				bad = true
			}
		}
	}
	if bad {
		os.Exit(1)
	}
}
