{{/* Labels of every object. */}}
{{- define "drydock.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: drydock
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* Labels that choose a component's pods; they never change. */}}
{{- define "drydock.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* The image of a component: by its digest if one is given. */}}
{{- define "drydock.image" -}}
{{- $digest := index .root.Values.image.digests .component -}}
{{- if $digest -}}
{{ .root.Values.image.registry }}/{{ .component }}@{{ $digest }}
{{- else -}}
{{ .root.Values.image.registry }}/{{ .component }}:{{ index .root.Values.image.tags .component | default .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "drydock.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "drydock.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "drydock.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The part of a pod that all components share. */}}
{{- define "drydock.pod" -}}
{{- $values := index .root.Values .component -}}
serviceAccountName: {{ .name }}
automountServiceAccountToken: {{ .api }}
enableServiceLinks: {{ .links | default false }}
securityContext:
  {{- include "drydock.podSecurity" .root | nindent 2 }}
{{- include "drydock.pullSecrets" .root }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "drydock.hostAliases" .root }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "drydock.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{/* Services with a fixed address are found without DNS. */}}
{{- define "drydock.hostAliases" -}}
{{- if or .Values.gateway.service.clusterIP (and .Values.redis.enabled .Values.redis.service.clusterIP) }}
hostAliases:
  {{- with .Values.gateway.service.clusterIP }}
  - ip: {{ . | quote }}
    hostnames: [drydock-gateway]
  {{- end }}
  {{- if .Values.redis.enabled }}
  {{- with .Values.redis.service.clusterIP }}
  - ip: {{ . | quote }}
    hostnames: [drydock-redis]
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Variables of a component: what the chart sets, then the settings of its values, each once. */}}
{{- define "drydock.configData" -}}
{{- $all := merge (dict) .settings .fixed -}}
{{- range $name, $value := $all }}
{{ $name }}: {{ include "drydock.text" $value | quote }}
{{- end }}
{{- end }}

{{/* Helm reads numbers as floats: 600000 must not become 6e+05. */}}
{{- define "drydock.text" -}}
{{- if kindIs "float64" . }}{{ if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{/* A variable from a Secret. */}}
{{- define "drydock.secretVariable" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end }}

{{- define "drydock.redisSecret" -}}
{{ .Values.redis.existingSecret }}
{{- end }}

{{/* The address of the gateway's Service: as given, or the one that it has. Empty when it is about to be made. */}}
{{- define "drydock.gatewayAddress" -}}
{{- if .Values.gateway.service.clusterIP -}}
{{ .Values.gateway.service.clusterIP }}
{{- else -}}
{{- $service := lookup "v1" "Service" .Release.Namespace "drydock-gateway" -}}
{{- if $service -}}{{ $service.spec.clusterIP }}{{- end -}}
{{- end -}}
{{- end }}

{{- define "drydock.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: {{ .ready }}, port: http }
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{/* Ports of NetworkPolicy rules. */}}
{{- define "drydock.tcpPorts" -}}
{{- range . }}
- protocol: TCP
  port: {{ int . }}
{{- end }}
{{- end }}

{{- define "drydock.policyHead" }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "drydock.labels" (dict "root" .root "name" .name) | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "drydock.selector" (dict "root" .root "name" .name) | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end }}
{{- define "drydock.peer" }}
- podSelector:
    matchLabels:
      {{- include "drydock.selector" . | nindent 6 }}
{{- end }}
{{- define "drydock.dnsRule" }}
{{- with .Values.networkPolicy.dnsPorts }}
- ports:
    {{- range . }}
    - { protocol: UDP, port: {{ int . }} }
    - { protocol: TCP, port: {{ int . }} }
    {{- end }}
{{- end }}
{{- end }}
{{- define "drydock.networks" }}
{{- with .cidrs }}
to:
  {{- range . }}
  - ipBlock: { cidr: {{ . }} }
  {{- end }}
{{- end }}
{{- end }}
{{- define "drydock.redisRule" }}
{{- if .Values.redis.enabled }}
- to:
    {{- include "drydock.peer" (dict "root" . "name" "drydock-redis") | nindent 4 }}
  ports: [{ protocol: TCP, port: 6379 }]
{{- else }}
- ports: [{ protocol: TCP, port: {{ int .Values.redis.externalPort }} }]
{{- end }}
{{- end }}
{{- define "drydock.metricsPeers" }}
{{- with .Values.networkPolicy.metricsNamespaces }}
- namespaceSelector:
    matchLabels:
      {{- toYaml . | nindent 6 }}
{{- end }}
{{- end }}
