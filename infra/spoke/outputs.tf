output "role_arns" {
  value = var.roles ? module.spoke[0].role_arns : {}
}

output "forwarder_role_arn" {
  value = local.forwarder_arn
}

output "rule_names" {
  value = module.region.rule_names
}

output "undelivered_queue_arn" {
  value = module.region.undelivered_queue_arn
}
