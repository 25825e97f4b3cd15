{{/* Name of all objects: the release's, with the chart's where that is not in it. */}}
{{- define "meshproof.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{/* The service account: another one than that of deploy/rbac/, which may be in the same namespace. */}}
{{- define "meshproof.account" -}}
{{- .Values.serviceAccount.name | default (printf "%s-job" (include "meshproof.fullname" .)) -}}
{{- end }}

{{/* The roles and the admission policy, of which a cluster may have those of several releases, and of deploy/rbac/. */}}
{{- define "meshproof.roles" -}}
{{- printf "%s-%s" (include "meshproof.fullname" .) .Release.Namespace -}}
{{- end }}

{{/* The claim of the volume that holds the results. */}}
{{- define "meshproof.claim" -}}
{{- .Values.results.volume.existingClaim | default (printf "%s-results" (include "meshproof.fullname" .)) -}}
{{- end }}

{{/* The image; there is no public one. */}}
{{- define "meshproof.image" -}}
{{- required "image must be set: the reference of meshproof's image in a registry of yours" .Values.image -}}
{{- end }}

{{- define "meshproof.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}
