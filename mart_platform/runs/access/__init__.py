"""Who may ask: principals, the roles that they hold, their credentials, and who looks after all this."""
