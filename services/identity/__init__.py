"""Who is who: tenants, users, sessions, one-time tickets and API keys."""
