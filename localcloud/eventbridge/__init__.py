"""EventBridge: buses, rules, patterns and deliveries, API version 2020-04-01."""
