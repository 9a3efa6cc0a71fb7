# What a spoke decides. The module checks the values and says what each is for.

variable "account_id" {
  description = "The account to deploy to; any other one is refused."
  type        = string
}

variable "region" {
  description = "The Region whose events are forwarded."
  type        = string
  default     = "us-east-1"
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
  description = "The hub's name."
  type        = string
  default     = "cordon"
}

variable "artifacts" {
  description = "Folder that `cordon package` wrote for the hub."
  type        = string
  default     = "../../dist"
}

variable "hub_bus_arn" {
  description = "Output `bus_arn` of the hub."
  type        = string
}

variable "organization_id" {
  description = "The organization's id."
  type        = string
}

variable "external_id" {
  description = "The hub's `spoke_external_id`."
  type        = string
}

variable "roles" {
  description = "Whether the roles are made: in one Region of each account."
  type        = bool
  default     = true
}

variable "enforcement" {
  description = "Whether Cordon may change anything here. Leave it false in the management account, and to begin with."
  type        = bool
  default     = false
}

variable "permissions_boundary_arn" {
  description = "A permissions boundary for the roles; empty for none."
  type        = string
  default     = ""
}

variable "event_rule_state" {
  description = "`ENABLED`, or `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS` for read-only calls too."
  type        = string
  default     = "ENABLED"
}

variable "alarm_topic_arns" {
  description = "Topics of this Region that hear of an event that could not be forwarded."
  type        = list(string)
  default     = []
}
