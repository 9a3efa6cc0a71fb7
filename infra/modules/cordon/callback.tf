# Where Slack's clicks arrive. The API checks nothing: the function checks the signature over the raw bytes before it parses them.

resource "aws_apigatewayv2_api" "callback" {
  name          = var.name
  description   = "Slack's interactivity request URL."
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "slack_callback" {
  api_id                 = aws_apigatewayv2_api.callback.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.function["slack-callback"].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 10000
}

resource "aws_apigatewayv2_route" "slack_interactions" {
  api_id    = aws_apigatewayv2_api.callback.id
  route_key = "POST /slack/interactions"
  target    = "integrations/${aws_apigatewayv2_integration.slack_callback.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.callback.id
  name        = "$default"
  auto_deploy = true

  # People click; nothing else has business here.
  default_route_settings {
    throttling_burst_limit = 20
    throttling_rate_limit  = 10
  }

  # No body and no header: a body carries a person's click, a header its signature.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.callback.arn
    format = jsonencode({
      requestId        = "$context.requestId"
      requestTime      = "$context.requestTime"
      sourceIp         = "$context.identity.sourceIp"
      routeKey         = "$context.routeKey"
      status           = "$context.status"
      responseLength   = "$context.responseLength"
      responseLatency  = "$context.responseLatency"
      integrationError = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_cloudwatch_log_group" "callback" {
  name              = "/aws/vendedlogs/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_permission" "callback" {
  statement_id  = "slack-interactions"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["slack-callback"].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.callback.execution_arn}/*/POST/slack/interactions"
}
