variable "endpoint" {
  description = "Where the emulator answers, such as http://127.0.0.1:4566."
  type        = string

  validation {
    condition     = can(regex("^http://(127\\.0\\.0\\.1|localhost):[0-9]+$", var.endpoint))
    error_message = "The endpoint must be an emulator on this machine, such as http://127.0.0.1:4566."
  }
}

variable "access_key" {
  description = "`test` for the emulator's first account; a 12-digit account id selects another one."
  type        = string
  default     = "test"

  validation {
    condition     = var.access_key == "test" || can(regex("^[0-9]{12}$", var.access_key))
    error_message = "The access key must be `test` or a 12-digit account id: real credentials have no place in a sandbox."
  }
}

variable "artifacts" {
  description = "Folder that `cordon package` wrote."
  type        = string
}

variable "name" {
  description = "Prefix of every name."
  type        = string
  default     = "cordon"
}

variable "mode" {
  description = "`enforce`, so that there is something to see, or `dry-run`."
  type        = string
  default     = "enforce"
}

variable "slack_api_url" {
  description = "Where the stand-in for Slack answers."
  type        = string
}

variable "approval_timeout_seconds" {
  description = "How long an approver has."
  type        = number
  default     = 900
}

variable "escalation_timeout_seconds" {
  description = "How long approvers have after more people were called."
  type        = number
  default     = 300
}

variable "settle_seconds" {
  description = "How long to wait before a change is verified. The emulator enforces at once."
  type        = number
  default     = 1
}

variable "security_hub" {
  description = "Whether each incident is sent to Security Hub, which the emulator does not have: it refuses them."
  type        = bool
  default     = false
}

variable "log_level" {
  description = "What the functions log."
  type        = string
  default     = "info"
}

variable "organization_id" {
  description = "The emulator's organisation, whose accounts may forward to this deployment; empty for none."
  type        = string
  default     = ""
}

variable "spoke_a" {
  description = "An account of the organisation that gets the roles and the forwarding rules; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.spoke_a == null || can(regex("^[0-9]{12}$", var.spoke_a))
    error_message = "A spoke is named by its 12-digit account id."
  }
}

variable "spoke_b" {
  description = "Another one; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.spoke_b == null || can(regex("^[0-9]{12}$", var.spoke_b))
    error_message = "A spoke is named by its 12-digit account id."
  }
}
