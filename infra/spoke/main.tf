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

module "spoke" {
  source = "../modules/spoke"

  name                     = var.name
  artifacts                = var.artifacts
  hub_account              = var.hub_account
  hub_bus_arn              = var.hub_bus_arn
  organization_id          = var.organization_id
  external_id              = var.external_id
  roles                    = var.roles
  permissions_boundary_arn = var.permissions_boundary_arn
  event_rule_state         = var.event_rule_state
}
