variable "name" {
  description = "Prefix of every name that this module makes; the hub's `name`."
  type        = string
  default     = "cordon"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "The name must be 2 to 24 characters: lower-case letters, digits and hyphens, a letter first."
  }
}

variable "spoke" {
  description = "`spoke` of the manifest that `cordon package` wrote for the hub: the roles' path, their policies, and the functions of the hub that assume each."
  type        = any

  validation {
    condition     = alltrue([for part in ["policies", "holders"] : try(join(" ", keys(var.spoke[part])), "") == "containment documents reader restoration"])
    error_message = "The manifest must have the policies and the holders of the four roles: let `cordon package` of the hub's version write it."
  }

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)+$", var.spoke.role_path))
    error_message = "The path must begin and end with a slash and name at least one folder, such as `/cordon/`."
  }

  # IAM reads wildcards in `ArnEquals`, too.
  validation {
    condition     = try(alltrue([for function in flatten(values(var.spoke.holders)) : can(regex("^[a-z][a-z-]*$", function))]), false)
    error_message = "Each role of the hub is named as a whole, without wildcards."
  }

  validation {
    condition     = try(length(flatten(values(var.spoke.holders))) == length(distinct(flatten(values(var.spoke.holders)))), false)
    error_message = "Each function of the hub may assume one role here and no other."
  }
}

variable "hub_bus_arn" {
  description = "ARN of the hub's event bus: output `bus_arn` of the hub. The hub's account is the bus's."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]+$", var.hub_bus_arn))
    error_message = "The bus must be given by its ARN, such as `arn:aws:events:us-east-1:111122223333:event-bus/cordon`."
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

variable "permissions_boundary_arn" {
  description = "A permissions boundary for the roles; empty for none. It has to allow what they need."
  type        = string
  default     = ""
}
