variable "name" {
  description = "Prefix of every name that this module makes; the hub's `name`."
  type        = string
  default     = "cordon"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "The name must be 2 to 24 characters: lower-case letters, digits and hyphens, a letter first."
  }
}

variable "event_patterns" {
  description = "The event patterns in the manifest that `cordon package` wrote, as JSON texts or objects of which each is one rule here."
  type        = any

  validation {
    condition     = length(var.event_patterns) > 0 && length(var.event_patterns) <= 300
    error_message = "A bus has 300 rules at most, and without a pattern nothing is forwarded."
  }
}

variable "hub_bus_arn" {
  description = "ARN of the hub's event bus. Its policy has to admit this account's forwarder first."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]+$", var.hub_bus_arn))
    error_message = "The bus must be given by its ARN, such as `arn:aws:events:us-east-1:111122223333:event-bus/cordon`."
  }
}

variable "forwarder_role_arn" {
  description = "The role of `../spoke` with which the rules forward."
  type        = string
}

variable "event_rule_state" {
  description = "`ENABLED`, or `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS` for read-only calls too, at a much higher volume."
  type        = string
  default     = "ENABLED"

  validation {
    condition     = contains(["ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"], var.event_rule_state)
    error_message = "The state must be `ENABLED` or `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`."
  }
}

variable "alarm_topic_arns" {
  description = "Topics of this region that hear of an event that could not be forwarded."
  type        = list(string)
  default     = []
}
