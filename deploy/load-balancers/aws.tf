# SPDX-License-Identifier: Apache-2.0
# An NLB and an ALB in front of Coffer's nodes; take one of them. The nodes have request_forwarding = true and
# drain_time = "15s". docs/load-balancers.md says which settings of their listeners belong to each, and what the
# numbers mean.

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  description = "Where the load balancer stands: one subnet in each zone that has nodes."
  type        = list(string)
}

variable "instance_ids" {
  description = "The nodes."
  type        = list(string)
}

variable "certificate_arn" {
  description = "Of the name that clients use; the ALB ends their TLS."
  type        = string
  default     = null
}

variable "client_cidrs" {
  description = "Who may reach the ALB."
  type        = list(string)
  default     = []
}

# ---- NLB: TLS goes through, the PROXY protocol says whose connection it is ----

resource "aws_lb" "nlb" {
  name                             = "coffer-nlb"
  load_balancer_type               = "network"
  internal                         = true
  subnets                          = var.subnet_ids
  enable_cross_zone_load_balancing = true
}

resource "aws_lb_target_group" "nlb" {
  name     = "coffer-nlb"
  vpc_id   = var.vpc_id
  port     = 8200
  protocol = "TCP"

  proxy_protocol_v2  = true
  preserve_client_ip = false

  # What is left on a node after it has turned: it closes its connections itself, with their next answer.
  deregistration_delay   = 30
  connection_termination = true

  health_check {
    protocol            = "HTTPS"
    path                = "/v1/sys/health?standbyok=true"
    matcher             = "200"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "nlb" {
  load_balancer_arn = aws_lb.nlb.arn
  port              = 8200
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.nlb.arn
  }
}

resource "aws_lb_target_group_attachment" "nlb" {
  count            = length(var.instance_ids)
  target_group_arn = aws_lb_target_group.nlb.arn
  target_id        = var.instance_ids[count.index]
}

# ---- ALB: ends TLS, X-Forwarded-For says whose request it is ----

resource "aws_security_group" "alb" {
  name   = "coffer-alb"
  vpc_id = var.vpc_id

  ingress {
    from_port   = 8200
    to_port     = 8200
    protocol    = "tcp"
    cidr_blocks = var.client_cidrs
  }

  egress {
    from_port   = 8200
    to_port     = 8200
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "alb" {
  name               = "coffer-alb"
  load_balancer_type = "application"
  internal           = true
  subnets            = var.subnet_ids
  security_groups    = [aws_security_group.alb.id]

  # Longer than a request may take (90 s).
  idle_timeout = 120
  # What clients claim of themselves stays left of what the ALB adds; with no hops skipped it is not looked at.
  xff_header_processing_mode = "append"
  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "alb" {
  name     = "coffer-alb"
  vpc_id   = var.vpc_id
  port     = 8200
  protocol = "HTTPS"

  load_balancing_algorithm_type = "least_outstanding_requests"
  deregistration_delay          = 30

  health_check {
    protocol            = "HTTPS"
    path                = "/v1/sys/health?standbyok=true"
    matcher             = "200"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "alb" {
  load_balancer_arn = aws_lb.alb.arn
  port              = 8200
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.alb.arn
  }
}

resource "aws_lb_target_group_attachment" "alb" {
  count            = length(var.instance_ids)
  target_group_arn = aws_lb_target_group.alb.arn
  target_id        = var.instance_ids[count.index]
}
