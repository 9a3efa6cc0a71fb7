output "rule_names" {
  description = "The rules that forward, for the hub's coverage."
  value       = [for rule in aws_cloudwatch_event_rule.forward : rule.name]
}

output "undelivered_queue_arn" {
  description = "The queue of events that did not arrive."
  value       = aws_sqs_queue.undelivered.arn
}
