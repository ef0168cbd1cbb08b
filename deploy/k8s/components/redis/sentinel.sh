#!/bin/sh
# The sentinel beside a Valkey. It watches whom the other sentinels name; where nobody knows, the first one.
set -eu
me="$(hostname).cairn-redis"
password="$(cat /password/password)"
ask() { timeout 2 valkey-cli -h "$1.cairn-redis" -p 26379 --raw sentinel get-master-addr-by-name cairn 2>/dev/null | head -n 1; }
primary=
for each in cairn-redis-0 cairn-redis-1 cairn-redis-2; do
    [ -n "$primary" ] || primary="$(ask "$each" || true)"
done
primary="${primary:-cairn-redis-0.cairn-redis}"
until valkey-cli -h "$primary" -a "$password" --no-auth-warning ping >/dev/null 2>&1; do sleep 1; done
umask 077
cat >/data/sentinel.conf <<CONF
port 26379
dir /data
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $me
sentinel monitor cairn $primary 6379 2
sentinel auth-pass cairn $password
sentinel down-after-milliseconds cairn 3000
sentinel failover-timeout cairn 15000
CONF
exec valkey-sentinel /data/sentinel.conf
