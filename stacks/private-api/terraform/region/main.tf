# SPDX-License-Identifier: Apache-2.0
# One region of the stack.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "settings" {
  type = object({
    name              = string
    tags              = map(string)
    admin_cidr        = string
    description       = string
    retention_in_days = number
  })
}

data "aws_region" "here" {}
data "aws_caller_identity" "me" {}

locals {
  region    = data.aws_region.here.name
  account   = data.aws_caller_identity.me.account_id
  prefix    = "${var.settings.name}-${local.region}"
  log_group = "/aws/apigateway/${local.prefix}"
  tags      = merge(var.settings.tags, { Environment = "Production" })
}
