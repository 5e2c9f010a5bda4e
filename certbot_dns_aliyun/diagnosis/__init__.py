"""What keeps a CA from issuing, beside TXT records: CAA records, broken DNSSEC, its own rules."""
