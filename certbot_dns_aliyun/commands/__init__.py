"""What can be asked of the plugin apart from Certbot, on the parts that a run has."""
