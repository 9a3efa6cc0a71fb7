variable "name" {
  description = "Prefix of every name that this module makes; the hub's `name`."
  type        = string
  default     = "cordon"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "The name must be 2 to 24 characters: lower-case letters, digits and hyphens, a letter first."
  }
}

variable "role_path" {
  description = "Path of the roles. The hub's bus and the guardrails know the roles by it."
  type        = string
  default     = "/cordon/"

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)+$", var.role_path))
    error_message = "The path must begin and end with a slash and name at least one folder, such as `/cordon/`."
  }
}

variable "hub_bus_arn" {
  description = "ARN of the hub's event bus."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]+$", var.hub_bus_arn))
    error_message = "The bus must be given by its ARN, such as `arn:aws:events:us-east-1:111122223333:event-bus/cordon`."
  }
}

variable "hub_role_arns" {
  description = "Which roles of the hub's account assume each role here. Full ARNs with their paths."
  type = object({
    reader      = list(string)
    containment = optional(list(string), [])
    documents   = optional(list(string), [])
    restoration = optional(list(string), [])
  })

  # IAM reads wildcards in `ArnEquals`, too.
  validation {
    condition     = alltrue([for arn in flatten(values(var.hub_role_arns)) : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "Each entry must be the full ARN of one role, without wildcards."
  }

  validation {
    condition     = length(distinct([for arn in flatten(values(var.hub_role_arns)) : split(":", arn)[4]])) == 1
    error_message = "All roles of the hub must be in one account, and at least one must read."
  }

  validation {
    condition     = length(flatten(values(var.hub_role_arns))) == length(distinct(flatten(values(var.hub_role_arns))))
    error_message = "Each role of the hub may assume one role here and no other."
  }
}

variable "organization_id" {
  description = "The organisation to which the hub has to belong."
  type        = string

  validation {
    condition     = can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "The organisation is given by its id, such as `o-a1b2c3d4e5`."
  }
}

variable "external_id" {
  description = "What the hub has to say when it assumes a role here; the hub's `spoke_external_id`."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@:/_-]{8,128}$", var.external_id))
    error_message = "The external id must have 8 to 128 characters: letters, digits and +=,.@:/_-"
  }
}

variable "enforcement" {
  description = "Whether Cordon may change anything here. Without it, only the reader and the forwarder are made: for the management account, and to begin with."
  type        = bool
  default     = false
}

variable "scope" {
  description = "Users, roles and groups that may be contained, and managed policies whose versions may be restored, as ARN resource parts."
  type        = list(string)
  default     = ["user/iam-test-*", "role/iam-test-*", "group/iam-test-*", "policy/iam-test-*"]

  validation {
    condition     = length(var.scope) > 0 && alltrue([for part in var.scope : can(regex("^(user|role|group|policy)/[A-Za-z0-9+=,.@_/*?-]+$", part))])
    error_message = "Each entry must look like `user/iam-test-*`, `role/…`, `group/…` or `policy/…`, without account or partition."
  }
}

variable "never_touch" {
  description = "What no role of Cordon may change, as ARN resource parts: the never-touch list, and the people and roles that break the glass. Cordon's own roles are always among them."
  type        = list(string)

  validation {
    condition     = length(var.never_touch) > 0 && alltrue([for part in var.never_touch : can(regex("^(user|role|group|policy)/[A-Za-z0-9+=,.@_/*?-]+$", part))])
    error_message = "Name at least whoever breaks the glass, as `user/break-glass-*` or `role/…`, without account or partition."
  }
}

variable "deny_policy_arns" {
  description = "Customer-managed policies that deny, which may be attached or set as a boundary beside AWS's own AWSDenyAll. Whoever may give one of them another version decides what it denies."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.deny_policy_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "Each entry must be the full ARN of one policy, without wildcards."
  }
}

variable "restorable_policy_arns" {
  description = "Policies of AWS that may be attached again when an undo gives a former state back. The account's own always may."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.restorable_policy_arns : can(regex("^arn:aws[a-z-]*:iam::aws:policy/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "Each entry must be the full ARN of one of AWS's policies, without wildcards."
  }
}

variable "restorable_trails" {
  description = "Names of trails whose logging may be started again, with `*` for any run of characters."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.restorable_trails : can(regex("^[A-Za-z0-9._*-]+$", name))])
    error_message = "Each entry must be the name of a trail, without its ARN."
  }
}

variable "exception_tag_keys" {
  description = "The exception tags' keys, as in cordon.toml: the only tags that may be set or removed."
  type        = list(string)
  default     = ["SecurityApproved"]
}

variable "permissions_boundary_arn" {
  description = "A permissions boundary for the roles; empty for none. It has to allow what they need."
  type        = string
  default     = ""
}
