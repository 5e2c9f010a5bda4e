"""Where the access key comes from."""
