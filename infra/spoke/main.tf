# One account and one Region of an organisation, for accounts that StackSets do not reach: the management account, and every account
# in China and GovCloud, where each Region has a hub of its own. Apply it once for each Region, with `roles` in the first alone.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 7.0"
    }
  }

  # The rest is in backend.hcl: terraform init -backend-config=backend.hcl
  backend "s3" {}
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  dynamic "assume_role" {
    for_each = var.deploy_role_arn == null ? [] : [var.deploy_role_arn]

    content {
      role_arn     = assume_role.value
      session_name = "cordon-deploy"
    }
  }

  default_tags {
    tags = merge({ application = "cordon" }, var.tags)
  }
}

locals {
  manifest      = jsondecode(file("${var.artifacts}/manifest.json"))
  forwarder_arn = "arn:${data.aws_partition.current.partition}:iam::${var.account_id}:role${local.manifest.spoke.role_path}${var.name}-forwarder"
}

data "aws_partition" "current" {}

module "spoke" {
  source = "../modules/spoke"
  count  = var.roles ? 1 : 0

  name                     = var.name
  spoke                    = local.manifest.spoke
  hub_bus_arn              = var.hub_bus_arn
  organization_id          = var.organization_id
  external_id              = var.external_id
  enforcement              = var.enforcement
  permissions_boundary_arn = var.permissions_boundary_arn
}

module "region" {
  source = "../modules/spoke-region"

  name               = var.name
  event_patterns     = local.manifest.event_patterns
  hub_bus_arn        = var.hub_bus_arn
  forwarder_role_arn = var.roles ? module.spoke[0].forwarder_role_arn : local.forwarder_arn
  event_rule_state   = var.event_rule_state
  alarm_topic_arns   = var.alarm_topic_arns
}
