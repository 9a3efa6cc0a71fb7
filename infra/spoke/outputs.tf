output "role_arns" {
  value = module.spoke.role_arns
}

output "undelivered_queue_url" {
  value = module.spoke.undelivered_queue_url
}
