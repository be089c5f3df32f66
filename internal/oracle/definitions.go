package oracle

import (
	"fmt"
	"strings"
)

// definitionsShape is a chart with CustomResourceDefinitions of about so many bytes
// each below crds/, in the form that controller-gen writes, and what helm create makes.
func definitionsShape(name, dir string, count, size int) (Shape, error) {
	files, err := created(name, dir)
	if err != nil {
		return Shape{}, err
	}
	for i := range count {
		plural := fmt.Sprintf("things%d", i)
		files["crds/example.com_"+plural+".yaml"] = definition(plural, size)
	}
	return Shape{Name: name, Files: files, Values: busy()}, nil
}

// definition is a CustomResourceDefinition of about so many bytes.
func definition(plural string, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, definitionHead, plural)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, definitionPart, i)
	}
	b.WriteString(definitionEnd)
	return b.String()
}

// The texts of a definition: what comes before the schemas of its parts, one of them,
// and what comes after.
const (
	definitionHead = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    controller-gen.kubebuilder.io/version: v0.17.2
  name: %[1]s.example.com
spec:
  group: example.com
  names:
    kind: Thing
    listKind: ThingList
    plural: %[1]s
    singular: %[1]s
  scope: Namespaced
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        description: Thing is one of the things that the operator runs
        properties:
          apiVersion:
            description: |-
              APIVersion defines the versioned schema of this representation of an object.
              Servers should convert recognized schemas to the latest internal value.
            type: string
          kind:
            type: string
          metadata:
            type: object
          spec:
            properties:
`
	definitionPart = `              part%[1]d:
                description: Part%[1]d is how this part of the thing is run, and on which of the nodes
                  it may be, if it is to be anywhere
                properties:
                  image:
                    default: registry.example.com/part:1.0
                    description: |-
                      Image is what the part runs.

                      It needs a tag.
                    type: string
                  limits:
                    additionalProperties:
                      anyOf:
                      - type: integer
                      - type: string
                      pattern: ^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$
                      x-kubernetes-int-or-string: true
                    description: 'Limits are the most that it may take: more than that ends
                      the part'
                    type: object
                  mode:
                    enum:
                    - Always
                    - ""
                    type: string
                  replicas:
                    format: int32
                    minimum: 0
                    type: integer
                required:
                - image
                type: object
                x-kubernetes-validations:
                - message: replicas need a mode
                  rule: '!has(self.replicas) || has(self.mode)'
`
	definitionEnd = `            type: object
        type: object
    served: true
    storage: true
    subresources:
      status: {}
`
)
