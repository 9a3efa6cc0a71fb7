variable "name" {
  description = "Prefix of every name that this module makes."
  type        = string
  default     = "cordon"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "The name must be 2 to 24 characters: lower-case letters, digits and hyphens, a letter first."
  }
}

variable "artifacts" {
  description = "Folder that `cordon package` wrote: manifest.json and a zip for each function."
  type        = string

  validation {
    condition     = fileexists("${var.artifacts}/manifest.json")
    error_message = "There is no manifest.json in the artifacts folder: build the functions and run `cordon package` first."
  }
}

variable "mode" {
  description = "`dry-run`: the remediator's role cannot change anything. `enforce`: it may, within remediation_scope. The packed cordon.toml has to say `enforce` too."
  type        = string
  default     = "dry-run"

  validation {
    condition     = contains(["dry-run", "enforce"], var.mode)
    error_message = "The mode must be `dry-run` or `enforce`."
  }
}

variable "remediation_scope" {
  description = "Users, roles, groups and managed policies of this account that the remediator may change, as ARN resource parts. Only used in mode `enforce`."
  type        = list(string)
  default     = ["user/iam-test-*", "role/iam-test-*", "group/iam-test-*", "policy/iam-test-*"]

  validation {
    condition     = length(var.remediation_scope) > 0 && alltrue([for r in var.remediation_scope : can(regex("^(user|role|group|policy)/[A-Za-z0-9+=,.@_/*?-]+$", r))])
    error_message = "Each entry must look like `user/iam-test-*`, `role/…`, `group/…` or `policy/…`, without account or partition."
  }
}

variable "remediable_trails" {
  description = "Names of trails whose logging the remediator may start again, with `*` for any run of characters. Only used in mode `enforce`."
  type        = list(string)
  default     = ["iam-test-*"]

  validation {
    condition     = alltrue([for t in var.remediable_trails : can(regex("^[A-Za-z0-9._*-]+$", t))])
    error_message = "Each entry must be the name of a trail, without its ARN."
  }
}

variable "exception_tag_keys" {
  description = "The exception tags' keys, as in cordon.toml: the only tags that the remediator may set or remove."
  type        = list(string)
  default     = ["SecurityApproved"]
}

variable "remediable_policy_arns" {
  description = "AWS-managed policies that the remediator may detach, beside every policy of the account's own."
  type        = list(string)
  default     = ["arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/AdministratorAccess-Amplify", "arn:aws:iam::aws:policy/IAMFullAccess"]

  validation {
    condition     = length(var.remediable_policy_arns) > 0 && alltrue([for a in var.remediable_policy_arns : can(regex("^arn:aws:iam::(aws|[0-9]{12}):policy/[^*?]+$", a))])
    error_message = "Each entry must be the full ARN of a managed policy, without wildcards."
  }
}

variable "event_bus" {
  description = "`default`: the rules stand on the account's default bus, where AWS's own events arrive. `own`: on a bus of this module, to which the default bus forwards."
  type        = string
  default     = "default"

  validation {
    condition     = contains(["default", "own"], var.event_bus)
    error_message = "The event bus must be `default` or `own`."
  }
}

variable "organization_id" {
  description = "The organization's id, such as `o-a1b2c3d4e5`: its accounts may forward their events to the own bus. Empty: this account's alone."
  type        = string
  default     = ""

  validation {
    condition     = var.organization_id == "" || can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "An organization's id looks like `o-a1b2c3d4e5`."
  }
}

variable "event_rule_state" {
  description = "`ENABLED` misses read-only calls; `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS` gets them too, at a much higher volume."
  type        = string
  default     = "ENABLED"

  validation {
    condition     = contains(["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"], var.event_rule_state)
    error_message = "The state must be ENABLED, DISABLED or ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS."
  }
}

variable "relay_source" {
  description = "An event source beside AWS's own that is trusted to start an enforcing incident. Empty in production: anybody who may put events could forge it."
  type        = string
  default     = ""

  validation {
    condition     = !startswith(var.relay_source, "aws.")
    error_message = "EventBridge refuses events put with a source that begins with `aws.`."
  }

  validation {
    condition     = var.relay_source != "cordon"
    error_message = "Cordon's own findings have the source `cordon`: trusted, each of them would start an execution."
  }
}

variable "findings_on_bus" {
  description = "Whether each incident is put on the event bus as an OCSF Detection Finding, source `cordon`."
  type        = bool
  default     = true
}

variable "security_hub" {
  description = "Whether each incident is imported into this account's Security Hub. It has to be enabled in this region."
  type        = bool
  default     = false
}

variable "approval_timeout_seconds" {
  description = "How long an approver has before more people are called. Somebody who says that they are looking gets as long once more."
  type        = number
  default     = 14400

  validation {
    condition     = var.approval_timeout_seconds >= 1 && var.approval_timeout_seconds <= 2592000 && floor(var.approval_timeout_seconds) == var.approval_timeout_seconds
    error_message = "The approval timeout must be a whole number of seconds, at most 2592000 (30 days)."
  }
}

variable "escalation_timeout_seconds" {
  description = "How long approvers have after more people were called. Then `on_timeout` of cordon.toml says what becomes of the incident."
  type        = number
  default     = 3600

  validation {
    condition     = var.escalation_timeout_seconds >= 1 && var.escalation_timeout_seconds <= 2592000 && floor(var.escalation_timeout_seconds) == var.escalation_timeout_seconds
    error_message = "The escalation timeout must be a whole number of seconds, at most 2592000 (30 days)."
  }
}

variable "settle_seconds" {
  description = "How long the state machine waits between a change and its verification. IAM takes about four seconds to enforce one."
  type        = number
  default     = 15

  validation {
    condition     = var.settle_seconds >= 0 && var.settle_seconds <= 3600 && floor(var.settle_seconds) == var.settle_seconds
    error_message = "The settling time must be a whole number of seconds, at most 3600."
  }
}

variable "slack_api_url" {
  description = "Where Slack's Web API answers."
  type        = string
  default     = "https://slack.com/api"

  validation {
    condition     = can(regex("^https?://", var.slack_api_url)) && !endswith(var.slack_api_url, "/")
    error_message = "The address must begin with http:// or https:// and not end with a slash."
  }
}

variable "alert_email" {
  description = "An address that gets every alert and alarm, once its owner has confirmed the subscription. Null for none."
  type        = string
  default     = null

  validation {
    condition     = var.alert_email == null || can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.alert_email))
    error_message = "The alert e-mail must be an address, or null."
  }
}

variable "alert_topic_arns" {
  description = "Topics beside the deployment's own that cordon.toml's notification routes name. Nobody else's may be published to."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alert_topic_arns : can(regex("^arn:[^:*]+:sns:[^:*]+:[0-9]{12}:[^:*]+$", arn))])
    error_message = "Each must be the ARN of an SNS topic, without wildcards."
  }
}

variable "log_level" {
  description = "What the functions log: error, warn, info, debug or trace."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["error", "warn", "info", "debug", "trace"], var.log_level)
    error_message = "The log level must be error, warn, info, debug or trace."
  }
}

variable "log_retention_days" {
  description = "How long the log groups keep their lines."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs accepts 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "tracing" {
  description = "Whether the functions and the state machine send traces to X-Ray."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether the table with the incidents refuses to be deleted."
  type        = bool
  default     = true
}

variable "secret_recovery_days" {
  description = "How many days a deleted Slack secret can be restored; 0 deletes at once."
  type        = number
  default     = 7

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "Secrets Manager accepts 0, or 7 to 30 days."
  }
}

variable "task_token_resources" {
  description = "Whose tasks the approval functions may complete. Empty means this state machine only. An emulator that cannot tell which state machine a token belongs to needs [\"*\"]."
  type        = list(string)
  default     = []
}

variable "spoke_external_id" {
  description = "The word that Cordon gives when it assumes a role in another account, the same as `external_id` of the spokes."
  type        = string
  default     = ""
}
