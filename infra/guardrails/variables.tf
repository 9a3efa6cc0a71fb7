variable "account_id" {
  description = "The account in which Cordon runs."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "The account id must be 12 digits."
  }
}

variable "name" {
  description = "The prefix of Cordon's names, as in its own deployment."
  type        = string
  default     = "cordon"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "The name must be 2 to 24 characters: lower-case letters, digits and hyphens, a letter first."
  }
}

variable "target_ids" {
  description = "Roots (`r-…`), organisational units (`ou-…`) and accounts that the policies are attached to. Begin with one account; none attaches nothing."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.target_ids : can(regex("^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|[0-9]{12})$", id))])
    error_message = "Each target must be the id of a root, an organisational unit or an account."
  }
}

variable "exception_role_arns" {
  description = "ARN patterns of the roles that may give exceptions: set the exception tags, fill exempt groups, change exempt principals."
  type        = list(string)

  validation {
    condition     = length(var.exception_role_arns) > 0 && alltrue([for arn in var.exception_role_arns : can(regex("^arn:aws:iam::([0-9]{12}|\\*):role/[A-Za-z0-9+=,.@_/*-]*[A-Za-z0-9+=,.@_-][A-Za-z0-9+=,.@_/*-]*$", arn))])
    error_message = "Name at least one role, as `arn:aws:iam::111122223333:role/security`; a pattern has to name more than `*`."
  }
}

variable "responder_role_arns" {
  description = "ARN patterns of the roles of responders: they lift a quarantine, run `cordon incident undo`, `exception` and `stop`."
  type        = list(string)

  validation {
    condition     = length(var.responder_role_arns) > 0 && alltrue([for arn in var.responder_role_arns : can(regex("^arn:aws:iam::([0-9]{12}|\\*):role/[A-Za-z0-9+=,.@_/*-]*[A-Za-z0-9+=,.@_-][A-Za-z0-9+=,.@_/*-]*$", arn))])
    error_message = "Name at least one role, as `arn:aws:iam::111122223333:role/on-call`; a pattern has to name more than `*`."
  }
}

variable "deploy_role_arns" {
  description = "ARN patterns of the roles that deploy Cordon. Without one, nobody in the targets can."
  type        = list(string)

  validation {
    condition     = length(var.deploy_role_arns) > 0 && alltrue([for arn in var.deploy_role_arns : can(regex("^arn:aws:iam::([0-9]{12}|\\*):role/[A-Za-z0-9+=,.@_/*-]*[A-Za-z0-9+=,.@_-][A-Za-z0-9+=,.@_/*-]*$", arn))])
    error_message = "Name at least one role, as `arn:aws:iam::111122223333:role/deploy`; a pattern has to name more than `*`."
  }
}

variable "tag_key" {
  description = "`exceptions.tag_key` of cordon.toml."
  type        = string
  default     = "SecurityApproved"
}

variable "tag_value" {
  description = "`exceptions.tag_value` of cordon.toml."
  type        = string
  default     = "true"
}

variable "until_key" {
  description = "`exceptions.until_key` of cordon.toml."
  type        = string
  default     = "SecurityApprovedUntil"
}

variable "exempt_groups" {
  description = "`exceptions.exempt_groups` of cordon.toml: at least one, a service control policy needs a resource."
  type        = list(string)
  default     = ["admins"]

  validation {
    condition     = length(var.exempt_groups) > 0
    error_message = "Name at least one group; one that does not exist does no harm."
  }
}
