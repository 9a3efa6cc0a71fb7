# Two accounts of an organisation beside the hub's, by the same modules as a real one. Terraform takes no number of providers from a
# variable, so each has its own.

locals {
  manifest = jsondecode(file("${var.artifacts}/manifest.json"))
  spoke    = local.manifest.spoke
}

provider "aws" {
  alias      = "spoke_a"
  region     = "us-east-1"
  access_key = coalesce(var.spoke_a, var.access_key)
  secret_key = "test"

  max_retries                 = 3
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  endpoints {
    cloudwatch = var.endpoint
    events     = var.endpoint
    iam        = var.endpoint
    sqs        = var.endpoint
    sts        = var.endpoint
  }
}

module "spoke_a" {
  source    = "../modules/spoke"
  count     = var.spoke_a == null ? 0 : 1
  providers = { aws = aws.spoke_a }

  name            = var.name
  spoke           = local.spoke
  hub_bus_arn     = module.cordon.bus_arn
  organization_id = var.organization_id
  external_id     = local.external_id
  enforcement     = true
}

module "spoke_a_region" {
  source    = "../modules/spoke-region"
  count     = var.spoke_a == null ? 0 : 1
  providers = { aws = aws.spoke_a }

  name               = var.name
  event_patterns     = local.manifest.event_patterns
  hub_bus_arn        = module.cordon.bus_arn
  forwarder_role_arn = module.spoke_a[0].forwarder_role_arn
}

provider "aws" {
  alias      = "spoke_b"
  region     = "us-east-1"
  access_key = coalesce(var.spoke_b, var.access_key)
  secret_key = "test"

  max_retries                 = 3
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  endpoints {
    cloudwatch = var.endpoint
    events     = var.endpoint
    iam        = var.endpoint
    sqs        = var.endpoint
    sts        = var.endpoint
  }
}

module "spoke_b" {
  source    = "../modules/spoke"
  count     = var.spoke_b == null ? 0 : 1
  providers = { aws = aws.spoke_b }

  name            = var.name
  spoke           = local.spoke
  hub_bus_arn     = module.cordon.bus_arn
  organization_id = var.organization_id
  external_id     = local.external_id
  enforcement     = true
}

module "spoke_b_region" {
  source    = "../modules/spoke-region"
  count     = var.spoke_b == null ? 0 : 1
  providers = { aws = aws.spoke_b }

  name               = var.name
  event_patterns     = local.manifest.event_patterns
  hub_bus_arn        = module.cordon.bus_arn
  forwarder_role_arn = module.spoke_b[0].forwarder_role_arn
}
