# Service control policies and a tag policy that keep everybody but named roles from what exempts and what answers. Applied in the
# organisation's management account, by whoever may write policies there; Cordon itself needs none of those rights.
#
# Nothing here binds the management account, or a service-linked role. docs/operating.md says what is protected and what is not.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 7.0"
    }
  }
}

# Organizations answers in us-east-1 alone.
provider "aws" {
  region = "us-east-1"

  default_tags {
    tags = { application = "cordon" }
  }
}

locals {
  own_quarantine_policies = ["arn:aws:iam::*:policy/CordonDeny*"]
  own_roles               = ["arn:aws:iam::${var.account_id}:role/${var.name}-*"]

  values = {
    name       = var.name
    account_id = var.account_id
    tag_key    = var.tag_key
    tag_value  = var.tag_value
    until_key  = var.until_key
    exempt_groups = flatten([
      for group in var.exempt_groups : ["arn:aws:iam::*:group/${group}", "arn:aws:iam::*:group/*/${group}"]
    ])

    exception_principals  = var.exception_role_arns
    quarantine_principals = concat(["arn:aws:iam::*:role/${var.name}-*"], var.responder_role_arns)
    cordon_principals     = distinct(concat(local.own_roles, var.deploy_role_arns, var.responder_role_arns))

    own_quarantine_policies = local.own_quarantine_policies
    quarantine_policies = concat(local.own_quarantine_policies, [
      "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantine*",
      "arn:aws:iam::aws:policy/AWSDenyAll",
    ])
  }

  service_control = {
    exceptions = "Who may give an exception from Cordon, or take over somebody who has one."
    quarantine = "Who may take off what holds a compromised principal back."
    cordon     = "Who may change Cordon, its record, or use its roles."
  }

  # Organizations counts what it is given: without white space.
  documents = { for key, _ in local.service_control : key => jsonencode(jsondecode(templatefile("${path.module}/policies/${key}.json.tftpl", local.values))) }

  attachments = { for pair in setproduct(keys(local.service_control), var.target_ids) : "${pair[0]} ${pair[1]}" => { policy = pair[0], target = pair[1] } }
}

resource "aws_organizations_policy" "service_control" {
  for_each = local.service_control

  name        = "${var.name}-${each.key}"
  description = each.value
  type        = "SERVICE_CONTROL_POLICY"
  content     = local.documents[each.key]

  lifecycle {
    precondition {
      condition     = length(local.documents[each.key]) <= 5120
      error_message = "The policy `${each.key}` has ${length(local.documents[each.key])} characters, and Organizations takes 5120: name fewer roles, or patterns of them."
    }
  }
}

resource "aws_organizations_policy_attachment" "service_control" {
  for_each = local.attachments

  policy_id = aws_organizations_policy.service_control[each.value.policy].id
  target_id = each.value.target
}

# How the tags are written, for the compliance report. It refuses nothing: that is the service control policy's.
resource "aws_organizations_policy" "tags" {
  name        = "${var.name}-exception-tags"
  description = "How Cordon's exception tags are written."
  type        = "TAG_POLICY"
  content     = jsonencode(jsondecode(templatefile("${path.module}/policies/tags.json.tftpl", local.values)))
}

resource "aws_organizations_policy_attachment" "tags" {
  for_each = toset(var.target_ids)

  policy_id = aws_organizations_policy.tags.id
  target_id = each.value
}
