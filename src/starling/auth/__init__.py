"""Who a client is: API keys and the tenants they speak for."""
