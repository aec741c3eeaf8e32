{{- define "lightflow.labels" -}}
app.kubernetes.io/name: lightflow
app.kubernetes.io/part-of: lightflow
{{- end }}

{{- /* What selects the pods of a Deployment; `component`, and for task-workers `queue`. */ -}}
{{- define "lightflow.selector" -}}
app.kubernetes.io/name: lightflow
app.kubernetes.io/component: {{ .component }}
{{- with .queue }}
lightflow-queue: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* The configuration file: what `config` says, and what other values decide. */ -}}
{{- define "lightflow.config" -}}
{{- range $path, $instead := dict "engine.task_slots" "taskWorker.slots" "engine.shutdown_grace" "taskWorker.shutdownGrace" }}
{{- if hasKey (dig "engine" dict $.Values.config) (trimPrefix "engine." $path) }}
{{- fail (printf "config.%s is decided by %s: set that" $path $instead) }}
{{- end }}
{{- end }}
{{- $engine := dict "task_slots" (int .Values.taskWorker.slots) "shutdown_grace" (int .Values.taskWorker.shutdownGrace) }}
{{- $decided := dict "control" (dict "host" "0.0.0.0" "port" 50051) "engine" $engine }}
{{- $default := dict "celery" (dict "broker_url" nil) }}
{{- mergeOverwrite $default (deepCopy .Values.config) $decided | toYaml }}
{{- end }}

{{- /* The values of all Deployments of task-workers: a list under `workers`, the one of the queue `task` first. */ -}}
{{- define "lightflow.workers" -}}
{{- $workers := list (merge (dict "name" "task") (deepCopy .Values.taskWorker)) }}
{{- range .Values.queues }}
{{- $workers = append $workers (mergeOverwrite (deepCopy $.Values.taskWorker) (deepCopy .)) }}
{{- end }}
{{- dict "workers" $workers | toYaml }}
{{- end }}

{{- define "lightflow.workerName" -}}
lightflow-task-worker{{ if ne .name "task" }}-{{ .name }}{{ end }}
{{- end }}

{{- define "lightflow.image" -}}
{{ .root.Values.image.registry }}{{ .image }}:{{ .tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "lightflow.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "lightflow.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- /* How many, how fast: the same for KEDA and HPA. */ -}}
{{- define "lightflow.behavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - {type: Percent, value: 100, periodSeconds: 15}
    - {type: Pods, value: 4, periodSeconds: 15}
scaleDown:
  stabilizationWindowSeconds: 300
  policies:
    - {type: Percent, value: 50, periodSeconds: 60}
{{- end }}

{{- /* A Deployment and its PodDisruptionBudget: root, name, component, queue, grace, values; replicas unless scaled. */ -}}
{{- define "lightflow.service" -}}
{{- $root := .root }}
{{- $values := .values }}
{{- $selector := include "lightflow.selector" . }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  labels:
    {{- $selector | nindent 4 }}
    app.kubernetes.io/part-of: lightflow
spec:
  {{- if hasKey . "replicas" }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
  strategy:
    rollingUpdate:
      maxSurge: {{ if .queue }}25%{{ else }}1{{ end }}
      maxUnavailable: 0
  template:
    metadata:
      labels:
        {{- $selector | nindent 8 }}
        app.kubernetes.io/part-of: lightflow
      annotations:
        checksum/config: {{ include "lightflow.config" $root | sha256sum }}
    spec:
      serviceAccountName: lightflow
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      terminationGracePeriodSeconds: {{ .grace }}
      securityContext:
        {{- include "lightflow.podSecurity" 10001 | nindent 8 }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
        {{- end }}
      containers:
        - name: service
          image: {{ include "lightflow.image" (dict "root" $root "image" $values.image "tag" $values.tag) }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          env:
            - {name: LIGHTFLOW_CONFIG, value: /etc/lightflow/lightflow.cfg}
            - {name: LIGHTFLOW_STORE_URI_FILE, value: /etc/lightflow/store-uri}
            - {name: LIGHTFLOW_SIGNAL_URI_FILE, value: /etc/lightflow/redis-uri}
            {{- if and .queue (ne .queue "task") }}
            - {name: LIGHTFLOW_QUEUES, value: {{ .queue | quote }}}
            {{- if ne (int $values.slots) (int $root.Values.taskWorker.slots) }}
            - {name: LIGHTFLOW_ENGINE_TASK_SLOTS, value: {{ int $values.slots | quote }}}
            {{- end }}
            {{- if ne (int $values.shutdownGrace) (int $root.Values.taskWorker.shutdownGrace) }}
            - {name: LIGHTFLOW_ENGINE_SHUTDOWN_GRACE, value: {{ int $values.shutdownGrace | quote }}}
            {{- end }}
            {{- end }}
            {{- with $values.env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- if eq .component "scheduler" }}
          ports:
            - {name: control, containerPort: 50051, protocol: TCP}
          lifecycle:
            preStop:
              sleep: {seconds: 3}
          readinessProbe:
            grpc: {port: 50051, service: lightflow.control.v1.ControlService}
            periodSeconds: 5
          {{- else }}
          readinessProbe:
            exec:
              command: [python, -P, -m, lightflow.runtime.health]
            periodSeconds: 10
            timeoutSeconds: 5
          {{- end }}
          startupProbe: # patient: who waits for MongoDB is not helped by a restart
            exec:
              command: [python, -P, -m, lightflow.runtime.health, --live]
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 720
          livenessProbe:
            exec:
              command: [python, -P, -m, lightflow.runtime.health, --live]
            periodSeconds: 15
            timeoutSeconds: 5
            failureThreshold: 4
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- include "lightflow.security" . | nindent 12 }}
          volumeMounts:
            - {name: configuration, mountPath: /etc/lightflow, readOnly: true}
            - {name: tmp, mountPath: /tmp}
            {{- if .queue }}
            - {name: cache, mountPath: /var/cache/lightflow}
            {{- end }}
      volumes:
        - name: configuration
          projected:
            defaultMode: 288 # 0440
            sources:
              - configMap: {name: lightflow-config}
              - secret: {name: {{ $root.Values.secretName }}}
        - name: tmp
          emptyDir: {}
        {{- if .queue }}
        - name: cache
          emptyDir: {}
        {{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  labels:
    {{- $selector | nindent 4 }}
    app.kubernetes.io/part-of: lightflow
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
{{- end }}
