# What an account other than the hub's needs once: the role with which its rules forward events, and the roles that the hub
# assumes. The rules themselves are made in each region by `../spoke-region`.
#
# Five roles, so that each function of the hub has as little as it needs. None can grant: what gives rights back is apart, in
# `restoration`. Documents are written out and not read from data sources, so that tests see them without an account.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account     = data.aws_caller_identity.current.account_id
  partition   = data.aws_partition.current.partition
  iam         = "arn:${local.partition}:iam::${local.account}"
  hub_account = split(":", var.hub_role_arns.reader[0])[4]

  roles = { for role in ["reader", "containment", "documents", "restoration"] : role => var.hub_role_arns[role] if role == "reader" || var.enforcement }

  # A role as the principal would be stored by its unique id, and a hub that was made anew would be locked out; its name is
  # asked by a condition. The external id is asked of `sts:AssumeRole` alone, because AWS does not list the key for the other.
  trust = {
    for role, arns in local.roles : role => {
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

  # An incident's id; the reader also looks whether the account is seen at all, which no incident asks for.
  source_identities = { for role, _ in local.roles : role => role == "reader" ? ["inc-*", "probe-*"] : ["inc-*"] }
}

resource "aws_iam_role" "hub" {
  for_each = local.roles

  name                 = "${var.name}-${each.key}"
  path                 = var.role_path
  description          = local.descriptions[each.key]
  assume_role_policy   = jsonencode(local.trust[each.key])
  permissions_boundary = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn

  # The least that IAM takes. The hub asks for 15 minutes.
  max_session_duration = 3600

  lifecycle {
    precondition {
      condition     = length(each.value) > 0
      error_message = "Name the role of the hub that assumes `${each.key}` in hub_role_arns, or switch enforcement off."
    }
  }
}

resource "aws_iam_role_policy" "hub" {
  for_each = local.roles

  name   = each.key
  role   = aws_iam_role.hub[each.key].name
  policy = jsonencode(local.permissions[each.key])
}

# EventBridge puts the events on the hub's bus with this role. Its name proves nothing to the hub: an administrator here can make
# such a role, too. What an event of `aws.*` says, AWS says.
resource "aws_iam_role" "forwarder" {
  name                 = "${var.name}-forwarder"
  path                 = var.role_path
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
