"""Lists the names that the client's own ``Model`` has: a method of such a name cannot be called through it."""

from __future__ import annotations

# Public attributes of the SDK's Model and of the message behind it (clarifai 12.5). `predict`, `generate` and
# `stream` are among them too, and hand on to the model's methods.
_NAMES = (
    "ByteSize Clear ClearExtension ClearField CopyFrom DESCRIPTOR DiscardUnknownFields Extensions "
    "FindInitializationErrors FromString HasExtension HasField IsInitialized ListFields MergeFrom "
    "MergeFromString ParseFromString SerializePartialToString SerializeToString SetInParent UnknownFields "
    "WhichOneof app_id async_client async_generate async_predict async_stream async_stub auth_helper "
    "available_methods base billing_type bookmark_origin check_consents client "
    "convert_string_to_timestamp create_version create_version_by_file create_version_by_url created_at "
    "creator default_eval_info default_page_size delete_version deploy_restriction deployment_user_id "
    "description display_name evaluate export featured_order fetch from_auth_helper from_current_context "
    "from_env from_local_grpc generate_by_bytes generate_by_filepath generate_by_url "
    "generate_client_script get_eval_by_dataset get_eval_by_id get_latest_eval get_param_info get_params "
    "get_raw_eval id image input_types is_starred kwargs languages languages_full license_type "
    "list_evaluations list_pages_generator list_training_templates list_versions load_info "
    "load_input_types logger metadata method_signature model_info model_type_id model_version modified_at "
    "name notes open_router_info output_info pat patch_version predict_by_bytes predict_by_filepath "
    "predict_by_url presets process_response_keys replica_count root_certificates_path source star_count "
    "stream_by_bytes stream_by_filepath stream_by_url task token toolkits train training_params "
    "training_status update_params use_cases user_app_id user_id version_count visibility "
    "workflow_recommended "
)
HIDDEN_METHOD_NAMES: frozenset[str] = frozenset(_NAMES.split())
