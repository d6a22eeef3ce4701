"""The search attributes of a campaign, for the list in the Temporal UI. None holds a VIN."""

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.common import SearchAttributeKey

STATE = SearchAttributeKey.for_keyword("CampaignState")
PHASE = SearchAttributeKey.for_keyword("CampaignPhase")
TYPE = SearchAttributeKey.for_keyword("CampaignType")
PRIORITY = SearchAttributeKey.for_keyword("CampaignPriority")
FAILURE_RATE = SearchAttributeKey.for_float("CampaignFailureRate")

#: Name and type of each, for whoever registers them.
REGISTERED = {
    STATE.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    PHASE.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    TYPE.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    PRIORITY.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    FAILURE_RATE.name: IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
}
