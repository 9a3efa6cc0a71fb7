# Who is told: the topic for alerts, and the alarms for when Cordon itself is in trouble.

# Without a KMS key on purpose. Amazon's own key for SNS does not let CloudWatch alarms publish and cannot be told to, so it would
# silence the alarms below; a key of our own costs more a month than everything else here. What is published never holds a secret.
resource "aws_sns_topic" "alerts" {
  name = "${var.name}-alerts"
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

# The functions publish by their own roles' permission; only the alarms need to be let in here.
data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "AlarmsOfCordonMayPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.name}-*"]
    }
  }
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alert_email == null ? 0 : 1

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.alert_email
}

resource "aws_cloudwatch_metric_alarm" "undelivered" {
  alarm_name          = "${var.name}-undelivered-events"
  alarm_description   = "EventBridge could not hand an event to Cordon. It waits in the queue, for 14 days; no incident was opened for it."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = "${var.name}-undelivered-events" }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "executions" {
  for_each = {
    failed  = { metric = "ExecutionsFailed", meaning = "An incident ended as failed: look at the execution, and decide by hand." }
    aborted = { metric = "ExecutionsAborted", meaning = "Somebody stopped an execution before the incident had an end. Find out who, and why." }
  }

  alarm_name          = "${var.name}-executions-${each.key}"
  alarm_description   = each.value.meaning
  namespace           = "AWS/States"
  metric_name         = each.value.metric
  dimensions          = { StateMachineArn = local.state_machine_arn }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
}
