package engine_test

import "k8s.io/apimachinery/pkg/runtime/schema"

// furtherShapes are objects of kinds whose lists and maps merge otherwise: lists
// with several keys and with keys that have defaults, atomic maps, sets of numbers,
// templates inside of templates, unions without a discriminator.
var furtherShapes = []faithfulShape{
	{schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}, `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations: #?
    example.com/a: "{1|2}"
spec:
  ingressClassName: {a|b} #?
  defaultBackend: {service: {name: web, port: {number: 80}}}
  tls: #?
  - {hosts: [{a|b}.example.com], secretName: {a|b}}
  rules: #?
  - host: {a|b}.example.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: {80|81}}}}}
      - {path: /api, pathType: {Exact|Prefix}, backend: {service: {name: web, port: {name: http}}}} #?
  - host: c.example.com #?
`},
	{schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}, `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {EMPTY|APP}
  policyTypes: [{Ingress|Egress}] #?
  ingress: #?
  - from: #?
    - {podSelector: {EMPTY|APP}}
    - {ipBlock: {cidr: 10.0.0.0/8, except: [10.{1|2}.0.0/16]}} #?
    ports: [{protocol: TCP, port: {80|http}}] #?
  egress: [{ports: [{port: {53|54}, protocol: UDP}]}] #?
`},
	{schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "cronjobs"}, `
apiVersion: batch/v1
kind: CronJob
metadata: {name: night}
spec:
  schedule: "{1|2} 3 * * *"
  suspend: {true|false} #?
  concurrencyPolicy: {Allow|Forbid} #?
  timeZone: {Etc/UTC|NONE} #?
  jobTemplate:
    metadata: {labels: {job: "{1|2}"}} #?
    spec:
      backoffLimit: {1|2} #?
      podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget, status: "True"}]}]} #?
      template:
        spec:
          restartPolicy: Never
          initContainers: #?
          - {name: i, image: {i:1|i:2}}
          containers:
          - name: a
            image: {a:1|a:2}
            command: [{v|w}] #?
            env: #?
            - {name: A, value: "{1|2}"} #?
            - {name: B, valueFrom: {secretKeyRef: {name: {k|l}, key: k, optional: true}}} #?
            - {name: C, value: "{1|2}"}
            envFrom: [{configMapRef: {name: {c|d}, optional: true}}] #?
          volumes: #?
          - {name: e, emptyDir: {EMPTY|LIMIT}}
          - {name: d, downwardAPI: {items: [{path: p, fieldRef: {fieldPath: metadata.{name|uid}}}]}} #?
`},
	{schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}, `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec:
  {minAvailable|maxUnavailable}: {1|50%}
  unhealthyPodEvictionPolicy: {IfHealthyBudget|AlwaysAllow} #?
  selector: {matchLabels: {app: {web|data}}}
`},
	{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}, `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  updateStrategy: {type: {OnDelete|RollingUpdate}} #?
  template:
    metadata:
      labels: {app: agent}
      annotations: #?
        example.com/b: "{1|2}"
    spec:
      nodeSelector: {none: "{1|2}"}
      topologySpreadConstraints: #?
      - {maxSkew: 1, topologyKey: {zone|host}, whenUnsatisfiable: {DoNotSchedule|ScheduleAnyway}, labelSelector: {matchLabels: {app: agent}}}
      imagePullSecrets: [{name: {a|b}}, {name: c}] #?
      securityContext: {EMPTY|NONE|USER} #?
      containers:
      - name: a
        image: {a:1|a:2}
        ports: #?
        - {containerPort: 53, protocol: UDP}
        - {containerPort: 53, protocol: TCP} #?
        lifecycle: {preStop: {sleep: {seconds: {1|2}}}} #?
        resources: {requests: {cpu: {0.5|500m|1}, memory: {1Gi|1024Mi}}} #?
`},
	{schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}, `
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
automountServiceAccountToken: {true|false} #?
imagePullSecrets: [{name: {a|b}}] #?
secrets: [{name: {a|b}}, {name: c}] #?
`},
	{schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: robot}
rules: #?
- {apiGroups: [""], resources: [{pods|services}], verbs: [get, {list|watch}]}
- {apiGroups: [apps], resources: [deployments], verbs: [get], resourceNames: [{a|b}]} #?
`},
	{schema.GroupVersionResource{Group: "fidelity.example.com", Version: "v1", Resource: "gadgets"}, `
apiVersion: fidelity.example.com/v1
kind: Gadget
metadata: {name: gadget}
spec:
  routes: #?
  - {host: a, weight: {1|2}}
  - {host: a, path: /x, backends: [{name: b}, {name: {c|d}, port: {1|2}}]} #?
  - {host: b} #?
  ref: {name: {a|b}} #?
  numbers: [1, {2|3}] #?
  either: {1|50%} #?
  template: #?
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: {a|b}}
    data: {k: {v|w}} #?
  nested: [[{a|b}], [c]] #?
  deep: {a: {b: {c: {1|2}}}} #?
`},
}

// faithfulGadgets are the fields of Gadget's spec.
const faithfulGadgets = `
              routes:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [host, path]
                items:
                  type: object
                  required: [host]
                  properties:
                    host: {type: string}
                    path: {type: string, default: /}
                    weight: {type: integer, default: 5}
                    backends:
                      type: array
                      x-kubernetes-list-type: map
                      x-kubernetes-list-map-keys: [name]
                      items:
                        type: object
                        required: [name]
                        properties: {name: {type: string}, port: {type: integer}}
              ref: {type: object, x-kubernetes-map-type: atomic, properties: {name: {type: string}, namespace: {type: string, default: here}}}
              numbers: {type: array, x-kubernetes-list-type: set, items: {type: integer}}
              either: {x-kubernetes-int-or-string: true}
              template: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}
              nested: {type: array, items: {type: array, items: {type: string}}}
              deep: {type: object, default: {}, properties: {a: {type: object, default: {}, properties: {b: {type: object, properties: {c: {type: integer, default: 9}}}}}}}
`
