"""The VPC API (product Vpc, version 2016-04-28) through the official SDK."""

from crossport.adapters.vpc.cloud import VpcCloud

__all__ = ["VpcCloud"]
