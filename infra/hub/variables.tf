# What a deployment decides. The module checks the values and says what each is for.

variable "account_id" {
  description = "The account to deploy to; any other one is refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "The account id must be 12 digits."
  }
}

variable "artifacts" {
  description = "Folder that `cordon package` wrote."
  type        = string
  default     = "../../dist"
}

variable "region" {
  description = "IAM's events appear in us-east-1 and nowhere else."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = var.region == "us-east-1"
    error_message = "Cordon has to stand in us-east-1: IAM's events appear in no other region."
  }
}

variable "deploy_role_arn" {
  description = "A role to deploy as; null for the caller's own credentials."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for everything."
  type        = map(string)
  default     = {}
}

variable "name" {
  description = "Prefix of every name."
  type        = string
  default     = "cordon"
}

variable "mode" {
  description = "`dry-run` or `enforce`; the packed cordon.toml has to say the same."
  type        = string
  default     = "dry-run"
}

variable "remediation_scope" {
  description = "What the remediator may change in mode `enforce`, such as `user/iam-test-*`."
  type        = list(string)
  default     = ["user/iam-test-*", "role/iam-test-*", "group/iam-test-*", "policy/iam-test-*"]
}

variable "remediable_trails" {
  description = "Names of trails whose logging may be started again in mode `enforce`."
  type        = list(string)
  default     = ["iam-test-*"]
}

variable "exception_tag_keys" {
  description = "The exception tags' keys, as in cordon.toml."
  type        = list(string)
  default     = ["SecurityApproved"]
}

variable "remediable_policy_arns" {
  description = "Managed policies that the remediator may detach."
  type        = list(string)
  default     = ["arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/IAMFullAccess"]
}

variable "event_bus" {
  description = "`default`, or `own` for a bus that other accounts will later send to."
  type        = string
  default     = "default"
}

variable "organization_id" {
  description = "The organization whose accounts may forward their events to the own bus; empty for this account's alone."
  type        = string
  default     = ""
}

variable "event_rule_state" {
  description = "ENABLED, or ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS to see read-only calls too."
  type        = string
  default     = "ENABLED"
}

variable "approval_timeout_seconds" {
  description = "How long an approver has."
  type        = number
  default     = 14400
}

variable "escalation_timeout_seconds" {
  description = "How long approvers have after more people were called."
  type        = number
  default     = 3600
}

variable "alert_email" {
  description = "An address for alerts and alarms; null for none."
  type        = string
  default     = null
}

variable "alert_topic_arns" {
  description = "Further topics that cordon.toml's notification routes name."
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 365
}

variable "tracing" {
  description = "Whether to send traces to X-Ray."
  type        = bool
  default     = false
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

variable "spoke_external_id" {
  description = "The external id that the role's trust policy wants."
  type        = string
  default     = ""
}
