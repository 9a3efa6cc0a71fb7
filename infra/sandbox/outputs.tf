output "callback_url" {
  value = module.cordon.callback_url
}

output "callback_api_id" {
  value = module.cordon.callback_api_id
}

output "state_machine_arn" {
  value = module.cordon.state_machine_arn
}

output "table_name" {
  value = module.cordon.table_name
}

output "topic_arn" {
  value = module.cordon.topic_arn
}

output "secret_arn" {
  value = module.cordon.secret_arn
}

output "bus_name" {
  value = module.cordon.bus_name
}

output "bus_arn" {
  value = module.cordon.bus_arn
}

output "undelivered_queue_url" {
  value = module.cordon.undelivered_queue_url
}

output "function_names" {
  value = module.cordon.function_names
}

output "role_arns" {
  value = module.cordon.role_arns
}

output "remediator_role" {
  value = module.cordon.remediator_role
}
