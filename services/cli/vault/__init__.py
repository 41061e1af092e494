"""Vault's set-up: what infra/vault declares, compared with a Vault and applied to it."""
