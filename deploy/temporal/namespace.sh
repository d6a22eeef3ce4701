#!/bin/sh
# The namespace and the search attributes of the campaigns; may be run at every start.
# Reads TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and RETENTION.
set -eu

# A server that has just started, and a namespace that has just been made, are not known everywhere at once.
patiently() {
  tries=30
  until "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 1
  done
}

patiently temporal operator cluster health
temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

known=$(patiently temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE")
for attribute in CampaignState=Keyword CampaignPhase=Keyword CampaignType=Keyword \
  CampaignPriority=Keyword CampaignFailureRate=Double; do
  name=${attribute%=*}
  case $known in
    *"$name"*) continue ;;
  esac
  patiently temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
    --name "$name" --type "${attribute#*=}"
done
