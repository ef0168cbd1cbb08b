#!/bin/sh
# Valkey, a replica of whom the sentinels name; where nobody knows, the first one is the primary.
set -eu
me="$(hostname).cairn-redis"
password="$(cat /password/password)"
ask() { timeout 2 valkey-cli -h "$1.cairn-redis" -p 26379 --raw sentinel get-master-addr-by-name cairn 2>/dev/null | head -n 1; }
primary=
for each in cairn-redis-0 cairn-redis-1 cairn-redis-2; do
    [ -n "$primary" ] || primary="$(ask "$each" || true)"
done
primary="${primary:-cairn-redis-0.cairn-redis}"
umask 077
cat >/data/server.conf <<CONF
dir /data
maxmemory $MAXMEMORY
maxmemory-policy allkeys-lru
save ""
appendonly no
requirepass $password
masterauth $password
replica-announce-ip $me
CONF
[ "$primary" = "$me" ] || echo "replicaof $primary 6379" >>/data/server.conf
exec valkey-server /data/server.conf
