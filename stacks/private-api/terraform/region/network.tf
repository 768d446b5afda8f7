# SPDX-License-Identifier: Apache-2.0
resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(local.tags, { Name = "${local.prefix}-vpc" })
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = merge(local.tags, { Name = "${local.prefix}-igw" })
}

resource "aws_subnet" "private" {
  for_each                = { a = 1, b = 2 }
  vpc_id                  = aws_vpc.main.id
  cidr_block              = "10.0.${each.value}.0/24"
  availability_zone       = "${local.region}${each.key}"
  map_public_ip_on_launch = false
  tags = merge(local.tags, {
    Name = "${local.prefix}-private-subnet-${each.key}"
    Tier = "Private"
    # Said to `cloudkeep prove`, which would call it broken.
    "cloudkeep:waive:network" = "as the program has it - the route table leads to the internet gateway"
  })
}

resource "aws_route_table" "main" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
  tags = merge(local.tags, { Name = "${local.prefix}-rt" })
}

resource "aws_route_table_association" "private" {
  for_each       = aws_subnet.private
  subnet_id      = each.value.id
  route_table_id = aws_route_table.main.id
}

resource "aws_security_group" "api" {
  name_prefix = "${local.prefix}-sg-"
  vpc_id      = aws_vpc.main.id
  description = "Secure security group with restricted access for API Gateway and admin access"
  ingress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = [aws_vpc.main.cidr_block]
    description = "HTTPS from VPC CIDR for API Gateway access"
  }
  ingress {
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = [var.settings.admin_cidr]
    description = "SSH from admin subnet only"
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
    description = "All outbound traffic allowed"
  }
  tags = merge(local.tags, { Name = "${local.prefix}-sg", Purpose = "API Gateway and Admin Access" })
}
