output "callback_url" {
  description = "Slack's interactivity request URL."
  value       = "${aws_apigatewayv2_api.callback.api_endpoint}/slack/interactions"
}

output "callback_api_id" {
  description = "The HTTP API behind the callback URL."
  value       = aws_apigatewayv2_api.callback.id
}

output "state_machine_arn" {
  description = "The state machine; its console shows every incident's way."
  value       = aws_sfn_state_machine.incident_response.arn
}

output "table_name" {
  description = "The table with the incidents."
  value       = aws_dynamodb_table.incidents.name
}

output "topic_arn" {
  description = "The topic for alerts and alarms."
  value       = aws_sns_topic.alerts.arn
}

output "secret_arn" {
  description = "The Slack secret, whose value is set by hand."
  value       = aws_secretsmanager_secret.slack.arn
}

output "bus_name" {
  description = "The bus on which Cordon's rules stand."
  value       = local.bus_name
}

output "bus_arn" {
  description = "Its ARN, to which the accounts of an organisation forward."
  value       = var.event_bus == "own" ? aws_cloudwatch_event_bus.own[0].arn : "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/default"

  # Nobody forwards to a bus that does not admit them yet: AWS refuses the target.
  depends_on = [aws_cloudwatch_event_bus_policy.organization]
}

output "undelivered_queue_url" {
  description = "The queue with the events that EventBridge could not hand over."
  value       = aws_sqs_queue.undelivered.url
}

output "function_names" {
  description = "The functions, by what they do."
  value       = { for key, function in aws_lambda_function.function : key => function.function_name }
}

output "role_arns" {
  description = "The roles, by whose they are."
  value = merge(
    { for key, role in aws_iam_role.function : key => role.arn },
    { state-machine = aws_iam_role.state_machine.arn, events = aws_iam_role.events.arn },
  )
}

output "remediator_role" {
  description = "The role that `cordon stop` takes the power from."
  value       = aws_iam_role.function["remediate"].name
}
