# What an account other than the hub's needs once: the role with which its rules forward events, and the roles that the hub
# assumes. The rules themselves are made in each region by `../spoke-region`.
#
# What each role may do, and which function of the hub assumes it, comes from the hub's package: one table in Rust, held against the
# plans that Cordon makes. Nothing of it is written here.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account     = data.aws_caller_identity.current.account_id
  partition   = data.aws_partition.current.partition
  hub_account = split(":", var.hub_bus_arn)[4]

  # This account's partition and id stand where the package has left room for them.
  permissions = {
    for role, policy in var.spoke.policies : role => replace(replace(jsonencode(policy), "{partition}", local.partition), "{account}", local.account)
    if role == "reader" || var.enforcement
  }

  hub_roles = {
    for role, functions in var.spoke.holders : role => [for function in functions : "arn:${local.partition}:iam::${local.hub_account}:role/${var.name}-${function}"]
    if role == "reader" || var.enforcement
  }

  descriptions = {
    reader      = "Lets Cordon read who somebody is and what they may."
    containment = "Lets Cordon attach a deny, set one as a boundary, and switch access keys off."
    documents   = "Lets Cordon write inline policies that deny. IAM cannot judge what they say."
    restoration = "Lets Cordon give a former state back, after a recorded decision."
  }

  # A role as the principal would be stored by its unique id, and a hub that was made anew would be locked out; its name is
  # asked by a condition. The external id is asked of `sts:AssumeRole` alone, because AWS does not list the key for the other.
  trust = {
    for role, arns in local.hub_roles : role => {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "OneRoleOfTheHub"
          Effect    = "Allow"
          Principal = { AWS = "arn:${local.partition}:iam::${local.hub_account}:root" }
          Action    = "sts:AssumeRole"
          Condition = {
            ArnEquals    = { "aws:PrincipalArn" = arns }
            StringEquals = { "aws:PrincipalOrgID" = var.organization_id, "sts:ExternalId" = var.external_id }
            StringLike   = { "sts:SourceIdentity" = local.source_identities[role] }
          }
        },
        {
          Sid       = "InTheNameOfAnIncident"
          Effect    = "Allow"
          Principal = { AWS = "arn:${local.partition}:iam::${local.hub_account}:root" }
          Action    = "sts:SetSourceIdentity"
          Condition = {
            ArnEquals    = { "aws:PrincipalArn" = arns }
            StringEquals = { "aws:PrincipalOrgID" = var.organization_id }
            StringLike   = { "sts:SourceIdentity" = local.source_identities[role] }
          }
        },
      ]
    }
  }

  # An incident's id; the reader also looks before there is an incident.
  source_identities = { for role, _ in local.hub_roles : role => role == "reader" ? ["inc-*", "probe-*"] : ["inc-*"] }
}

resource "aws_iam_role" "hub" {
  for_each = local.permissions

  name                 = "${var.name}-${each.key}"
  path                 = var.spoke.role_path
  description          = local.descriptions[each.key]
  assume_role_policy   = jsonencode(local.trust[each.key])
  permissions_boundary = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn

  # The least that IAM takes. The hub asks for 15 minutes.
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "hub" {
  for_each = local.permissions

  name   = each.key
  role   = aws_iam_role.hub[each.key].name
  policy = each.value
}

# EventBridge puts the events on the hub's bus with this role. Its name proves nothing to the hub: an administrator here can make
# such a role, too. What an event of `aws.*` says, AWS says.
resource "aws_iam_role" "forwarder" {
  name                 = "${var.name}-forwarder"
  path                 = var.spoke.role_path
  description          = "Lets EventBridge forward events of AWS to Cordon's bus."
  permissions_boundary = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:events:*:${local.account}:rule/${var.name}-forward-*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "forwarder" {
  name = "put-events"
  role = aws_iam_role.forwarder.name

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "events:PutEvents", Resource = var.hub_bus_arn }]
  })
}
