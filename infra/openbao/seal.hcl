# The key that unseals comes from outside: the secret openbao-seal, put there by whoever keeps the
# sector's keys (infra/runbooks/install.md). Where there is a KMS or an HSM, the environment replaces
# this file: whoever reads the secrets of this namespace could otherwise read what Vault keeps.
seal "static" {
  current_key_id = "1"
  current_key    = "file:///openbao/seal/1.key"
}
