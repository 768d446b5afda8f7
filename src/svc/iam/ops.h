/* SPDX-License-Identifier: Apache-2.0 */
/* ops.h - the handlers of IAM, one an operation, and what their files share. */
#pragma once
#include "svc/iam/iam_int.h"

int iam_add_client_id_to_open_id_connect_provider(struct call *c, const struct iam_add_client_id_to_open_id_connect_provider_request *in,
						  struct iam_add_client_id_to_open_id_connect_provider_response *out);
int iam_add_role_to_instance_profile(struct call *c, const struct iam_add_role_to_instance_profile_request *in,
				     struct iam_add_role_to_instance_profile_response *out);
int iam_add_user_to_group(struct call *c, const struct iam_add_user_to_group_request *in, struct iam_add_user_to_group_response *out);
int iam_attach_group_policy(struct call *c, const struct iam_attach_group_policy_request *in, struct iam_attach_group_policy_response *out);
int iam_attach_role_policy(struct call *c, const struct iam_attach_role_policy_request *in, struct iam_attach_role_policy_response *out);
int iam_attach_user_policy(struct call *c, const struct iam_attach_user_policy_request *in, struct iam_attach_user_policy_response *out);
int iam_create_access_key(struct call *c, const struct iam_create_access_key_request *in, struct iam_create_access_key_response *out);
int iam_create_account_alias(struct call *c, const struct iam_create_account_alias_request *in,
			     struct iam_create_account_alias_response *out);
int iam_create_group(struct call *c, const struct iam_create_group_request *in, struct iam_create_group_response *out);
int iam_create_instance_profile(struct call *c, const struct iam_create_instance_profile_request *in,
				struct iam_create_instance_profile_response *out);
int iam_create_login_profile(struct call *c, const struct iam_create_login_profile_request *in,
			     struct iam_create_login_profile_response *out);
int iam_create_open_id_connect_provider(struct call *c, const struct iam_create_open_id_connect_provider_request *in,
					struct iam_create_open_id_connect_provider_response *out);
int iam_create_policy(struct call *c, const struct iam_create_policy_request *in, struct iam_create_policy_response *out);
int iam_create_policy_version(struct call *c, const struct iam_create_policy_version_request *in,
			      struct iam_create_policy_version_response *out);
int iam_create_role(struct call *c, const struct iam_create_role_request *in, struct iam_create_role_response *out);
int iam_create_saml_provider(struct call *c, const struct iam_create_saml_provider_request *in,
			     struct iam_create_saml_provider_response *out);
int iam_create_service_linked_role(struct call *c, const struct iam_create_service_linked_role_request *in,
				   struct iam_create_service_linked_role_response *out);
int iam_create_user(struct call *c, const struct iam_create_user_request *in, struct iam_create_user_response *out);
int iam_create_virtual_mfa_device(struct call *c, const struct iam_create_virtual_mfa_device_request *in,
				  struct iam_create_virtual_mfa_device_response *out);
int iam_deactivate_mfa_device(struct call *c, const struct iam_deactivate_mfa_device_request *in,
			      struct iam_deactivate_mfa_device_response *out);
int iam_delete_access_key(struct call *c, const struct iam_delete_access_key_request *in, struct iam_delete_access_key_response *out);
int iam_delete_account_alias(struct call *c, const struct iam_delete_account_alias_request *in,
			     struct iam_delete_account_alias_response *out);
int iam_delete_account_password_policy(struct call *c, const struct iam_delete_account_password_policy_request *in,
				       struct iam_delete_account_password_policy_response *out);
int iam_delete_group(struct call *c, const struct iam_delete_group_request *in, struct iam_delete_group_response *out);
int iam_delete_group_policy(struct call *c, const struct iam_delete_group_policy_request *in, struct iam_delete_group_policy_response *out);
int iam_delete_instance_profile(struct call *c, const struct iam_delete_instance_profile_request *in,
				struct iam_delete_instance_profile_response *out);
int iam_delete_login_profile(struct call *c, const struct iam_delete_login_profile_request *in,
			     struct iam_delete_login_profile_response *out);
int iam_delete_open_id_connect_provider(struct call *c, const struct iam_delete_open_id_connect_provider_request *in,
					struct iam_delete_open_id_connect_provider_response *out);
int iam_delete_policy(struct call *c, const struct iam_delete_policy_request *in, struct iam_delete_policy_response *out);
int iam_delete_policy_version(struct call *c, const struct iam_delete_policy_version_request *in,
			      struct iam_delete_policy_version_response *out);
int iam_delete_role(struct call *c, const struct iam_delete_role_request *in, struct iam_delete_role_response *out);
int iam_delete_role_permissions_boundary(struct call *c, const struct iam_delete_role_permissions_boundary_request *in,
					 struct iam_delete_role_permissions_boundary_response *out);
int iam_delete_role_policy(struct call *c, const struct iam_delete_role_policy_request *in, struct iam_delete_role_policy_response *out);
int iam_delete_saml_provider(struct call *c, const struct iam_delete_saml_provider_request *in,
			     struct iam_delete_saml_provider_response *out);
int iam_delete_server_certificate(struct call *c, const struct iam_delete_server_certificate_request *in,
				  struct iam_delete_server_certificate_response *out);
int iam_delete_service_linked_role(struct call *c, const struct iam_delete_service_linked_role_request *in,
				   struct iam_delete_service_linked_role_response *out);
int iam_delete_user(struct call *c, const struct iam_delete_user_request *in, struct iam_delete_user_response *out);
int iam_delete_user_permissions_boundary(struct call *c, const struct iam_delete_user_permissions_boundary_request *in,
					 struct iam_delete_user_permissions_boundary_response *out);
int iam_delete_user_policy(struct call *c, const struct iam_delete_user_policy_request *in, struct iam_delete_user_policy_response *out);
int iam_delete_virtual_mfa_device(struct call *c, const struct iam_delete_virtual_mfa_device_request *in,
				  struct iam_delete_virtual_mfa_device_response *out);
int iam_detach_group_policy(struct call *c, const struct iam_detach_group_policy_request *in, struct iam_detach_group_policy_response *out);
int iam_detach_role_policy(struct call *c, const struct iam_detach_role_policy_request *in, struct iam_detach_role_policy_response *out);
int iam_detach_user_policy(struct call *c, const struct iam_detach_user_policy_request *in, struct iam_detach_user_policy_response *out);
int iam_enable_mfa_device(struct call *c, const struct iam_enable_mfa_device_request *in, struct iam_enable_mfa_device_response *out);
int iam_generate_credential_report(struct call *c, const struct iam_generate_credential_report_request *in,
				   struct iam_generate_credential_report_response *out);
int iam_get_access_key_last_used(struct call *c, const struct iam_get_access_key_last_used_request *in,
				 struct iam_get_access_key_last_used_response *out);
int iam_get_account_authorization_details(struct call *c, const struct iam_get_account_authorization_details_request *in,
					  struct iam_get_account_authorization_details_response *out);
int iam_get_account_password_policy(struct call *c, const struct iam_get_account_password_policy_request *in,
				    struct iam_get_account_password_policy_response *out);
int iam_get_account_summary(struct call *c, const struct iam_get_account_summary_request *in, struct iam_get_account_summary_response *out);
int iam_get_credential_report(struct call *c, const struct iam_get_credential_report_request *in,
			      struct iam_get_credential_report_response *out);
int iam_get_group(struct call *c, const struct iam_get_group_request *in, struct iam_get_group_response *out);
int iam_get_group_policy(struct call *c, const struct iam_get_group_policy_request *in, struct iam_get_group_policy_response *out);
int iam_get_instance_profile(struct call *c, const struct iam_get_instance_profile_request *in,
			     struct iam_get_instance_profile_response *out);
int iam_get_login_profile(struct call *c, const struct iam_get_login_profile_request *in, struct iam_get_login_profile_response *out);
int iam_get_open_id_connect_provider(struct call *c, const struct iam_get_open_id_connect_provider_request *in,
				     struct iam_get_open_id_connect_provider_response *out);
int iam_get_policy(struct call *c, const struct iam_get_policy_request *in, struct iam_get_policy_response *out);
int iam_get_policy_version(struct call *c, const struct iam_get_policy_version_request *in, struct iam_get_policy_version_response *out);
int iam_get_role(struct call *c, const struct iam_get_role_request *in, struct iam_get_role_response *out);
int iam_get_role_policy(struct call *c, const struct iam_get_role_policy_request *in, struct iam_get_role_policy_response *out);
int iam_get_saml_provider(struct call *c, const struct iam_get_saml_provider_request *in, struct iam_get_saml_provider_response *out);
int iam_get_server_certificate(struct call *c, const struct iam_get_server_certificate_request *in,
			       struct iam_get_server_certificate_response *out);
int iam_get_service_linked_role_deletion_status(struct call *c, const struct iam_get_service_linked_role_deletion_status_request *in,
						struct iam_get_service_linked_role_deletion_status_response *out);
int iam_get_user(struct call *c, const struct iam_get_user_request *in, struct iam_get_user_response *out);
int iam_get_user_policy(struct call *c, const struct iam_get_user_policy_request *in, struct iam_get_user_policy_response *out);
int iam_list_access_keys(struct call *c, const struct iam_list_access_keys_request *in, struct iam_list_access_keys_response *out);
int iam_list_account_aliases(struct call *c, const struct iam_list_account_aliases_request *in,
			     struct iam_list_account_aliases_response *out);
int iam_list_attached_group_policies(struct call *c, const struct iam_list_attached_group_policies_request *in,
				     struct iam_list_attached_group_policies_response *out);
int iam_list_attached_role_policies(struct call *c, const struct iam_list_attached_role_policies_request *in,
				    struct iam_list_attached_role_policies_response *out);
int iam_list_attached_user_policies(struct call *c, const struct iam_list_attached_user_policies_request *in,
				    struct iam_list_attached_user_policies_response *out);
int iam_list_entities_for_policy(struct call *c, const struct iam_list_entities_for_policy_request *in,
				 struct iam_list_entities_for_policy_response *out);
int iam_list_group_policies(struct call *c, const struct iam_list_group_policies_request *in, struct iam_list_group_policies_response *out);
int iam_list_groups(struct call *c, const struct iam_list_groups_request *in, struct iam_list_groups_response *out);
int iam_list_groups_for_user(struct call *c, const struct iam_list_groups_for_user_request *in,
			     struct iam_list_groups_for_user_response *out);
int iam_list_instance_profile_tags(struct call *c, const struct iam_list_instance_profile_tags_request *in,
				   struct iam_list_instance_profile_tags_response *out);
int iam_list_instance_profiles(struct call *c, const struct iam_list_instance_profiles_request *in,
			       struct iam_list_instance_profiles_response *out);
int iam_list_instance_profiles_for_role(struct call *c, const struct iam_list_instance_profiles_for_role_request *in,
					struct iam_list_instance_profiles_for_role_response *out);
int iam_list_mfa_device_tags(struct call *c, const struct iam_list_mfa_device_tags_request *in,
			     struct iam_list_mfa_device_tags_response *out);
int iam_list_mfa_devices(struct call *c, const struct iam_list_mfa_devices_request *in, struct iam_list_mfa_devices_response *out);
int iam_list_saml_provider_tags(struct call *c, const struct iam_list_saml_provider_tags_request *in,
				struct iam_list_saml_provider_tags_response *out);
int iam_list_saml_providers(struct call *c, const struct iam_list_saml_providers_request *in, struct iam_list_saml_providers_response *out);
int iam_list_ssh_public_keys(struct call *c, const struct iam_list_ssh_public_keys_request *in,
			     struct iam_list_ssh_public_keys_response *out);
int iam_list_signing_certificates(struct call *c, const struct iam_list_signing_certificates_request *in,
				  struct iam_list_signing_certificates_response *out);
int iam_list_service_specific_credentials(struct call *c, const struct iam_list_service_specific_credentials_request *in,
					  struct iam_list_service_specific_credentials_response *out);
int iam_list_open_id_connect_provider_tags(struct call *c, const struct iam_list_open_id_connect_provider_tags_request *in,
					   struct iam_list_open_id_connect_provider_tags_response *out);
int iam_list_open_id_connect_providers(struct call *c, const struct iam_list_open_id_connect_providers_request *in,
				       struct iam_list_open_id_connect_providers_response *out);
int iam_list_policies(struct call *c, const struct iam_list_policies_request *in, struct iam_list_policies_response *out);
int iam_list_policy_tags(struct call *c, const struct iam_list_policy_tags_request *in, struct iam_list_policy_tags_response *out);
int iam_list_policy_versions(struct call *c, const struct iam_list_policy_versions_request *in,
			     struct iam_list_policy_versions_response *out);
int iam_list_role_policies(struct call *c, const struct iam_list_role_policies_request *in, struct iam_list_role_policies_response *out);
int iam_list_role_tags(struct call *c, const struct iam_list_role_tags_request *in, struct iam_list_role_tags_response *out);
int iam_list_roles(struct call *c, const struct iam_list_roles_request *in, struct iam_list_roles_response *out);
int iam_list_server_certificate_tags(struct call *c, const struct iam_list_server_certificate_tags_request *in,
				     struct iam_list_server_certificate_tags_response *out);
int iam_list_server_certificates(struct call *c, const struct iam_list_server_certificates_request *in,
				 struct iam_list_server_certificates_response *out);
int iam_list_user_policies(struct call *c, const struct iam_list_user_policies_request *in, struct iam_list_user_policies_response *out);
int iam_list_user_tags(struct call *c, const struct iam_list_user_tags_request *in, struct iam_list_user_tags_response *out);
int iam_list_users(struct call *c, const struct iam_list_users_request *in, struct iam_list_users_response *out);
int iam_list_virtual_mfa_devices(struct call *c, const struct iam_list_virtual_mfa_devices_request *in,
				 struct iam_list_virtual_mfa_devices_response *out);
int iam_put_group_policy(struct call *c, const struct iam_put_group_policy_request *in, struct iam_put_group_policy_response *out);
int iam_put_role_permissions_boundary(struct call *c, const struct iam_put_role_permissions_boundary_request *in,
				      struct iam_put_role_permissions_boundary_response *out);
int iam_put_role_policy(struct call *c, const struct iam_put_role_policy_request *in, struct iam_put_role_policy_response *out);
int iam_put_user_permissions_boundary(struct call *c, const struct iam_put_user_permissions_boundary_request *in,
				      struct iam_put_user_permissions_boundary_response *out);
int iam_put_user_policy(struct call *c, const struct iam_put_user_policy_request *in, struct iam_put_user_policy_response *out);
int iam_remove_client_id_from_open_id_connect_provider(struct call *c,
						       const struct iam_remove_client_id_from_open_id_connect_provider_request *in,
						       struct iam_remove_client_id_from_open_id_connect_provider_response *out);
int iam_remove_role_from_instance_profile(struct call *c, const struct iam_remove_role_from_instance_profile_request *in,
					  struct iam_remove_role_from_instance_profile_response *out);
int iam_remove_user_from_group(struct call *c, const struct iam_remove_user_from_group_request *in,
			       struct iam_remove_user_from_group_response *out);
int iam_resync_mfa_device(struct call *c, const struct iam_resync_mfa_device_request *in, struct iam_resync_mfa_device_response *out);
int iam_set_default_policy_version(struct call *c, const struct iam_set_default_policy_version_request *in,
				   struct iam_set_default_policy_version_response *out);
int iam_simulate_custom_policy(struct call *c, const struct iam_simulate_custom_policy_request *in,
			       struct iam_simulate_policy_response *out);
int iam_simulate_principal_policy(struct call *c, const struct iam_simulate_principal_policy_request *in,
				  struct iam_simulate_policy_response *out);
int iam_tag_instance_profile(struct call *c, const struct iam_tag_instance_profile_request *in,
			     struct iam_tag_instance_profile_response *out);
int iam_tag_mfa_device(struct call *c, const struct iam_tag_mfa_device_request *in, struct iam_tag_mfa_device_response *out);
int iam_tag_open_id_connect_provider(struct call *c, const struct iam_tag_open_id_connect_provider_request *in,
				     struct iam_tag_open_id_connect_provider_response *out);
int iam_tag_policy(struct call *c, const struct iam_tag_policy_request *in, struct iam_tag_policy_response *out);
int iam_tag_role(struct call *c, const struct iam_tag_role_request *in, struct iam_tag_role_response *out);
int iam_tag_saml_provider(struct call *c, const struct iam_tag_saml_provider_request *in, struct iam_tag_saml_provider_response *out);
int iam_tag_server_certificate(struct call *c, const struct iam_tag_server_certificate_request *in,
			       struct iam_tag_server_certificate_response *out);
int iam_tag_user(struct call *c, const struct iam_tag_user_request *in, struct iam_tag_user_response *out);
int iam_untag_instance_profile(struct call *c, const struct iam_untag_instance_profile_request *in,
			       struct iam_untag_instance_profile_response *out);
int iam_untag_mfa_device(struct call *c, const struct iam_untag_mfa_device_request *in, struct iam_untag_mfa_device_response *out);
int iam_untag_open_id_connect_provider(struct call *c, const struct iam_untag_open_id_connect_provider_request *in,
				       struct iam_untag_open_id_connect_provider_response *out);
int iam_untag_policy(struct call *c, const struct iam_untag_policy_request *in, struct iam_untag_policy_response *out);
int iam_untag_role(struct call *c, const struct iam_untag_role_request *in, struct iam_untag_role_response *out);
int iam_untag_saml_provider(struct call *c, const struct iam_untag_saml_provider_request *in, struct iam_untag_saml_provider_response *out);
int iam_untag_server_certificate(struct call *c, const struct iam_untag_server_certificate_request *in,
				 struct iam_untag_server_certificate_response *out);
int iam_untag_user(struct call *c, const struct iam_untag_user_request *in, struct iam_untag_user_response *out);
int iam_update_access_key(struct call *c, const struct iam_update_access_key_request *in, struct iam_update_access_key_response *out);
int iam_update_account_password_policy(struct call *c, const struct iam_update_account_password_policy_request *in,
				       struct iam_update_account_password_policy_response *out);
int iam_update_assume_role_policy(struct call *c, const struct iam_update_assume_role_policy_request *in,
				  struct iam_update_assume_role_policy_response *out);
int iam_update_group(struct call *c, const struct iam_update_group_request *in, struct iam_update_group_response *out);
int iam_update_login_profile(struct call *c, const struct iam_update_login_profile_request *in,
			     struct iam_update_login_profile_response *out);
int iam_update_open_id_connect_provider_thumbprint(struct call *c, const struct iam_update_open_id_connect_provider_thumbprint_request *in,
						   struct iam_update_open_id_connect_provider_thumbprint_response *out);
int iam_update_role(struct call *c, const struct iam_update_role_request *in, struct iam_update_role_response *out);
int iam_update_role_description(struct call *c, const struct iam_update_role_description_request *in,
				struct iam_update_role_description_response *out);
int iam_update_saml_provider(struct call *c, const struct iam_update_saml_provider_request *in,
			     struct iam_update_saml_provider_response *out);
int iam_update_server_certificate(struct call *c, const struct iam_update_server_certificate_request *in,
				  struct iam_update_server_certificate_response *out);
int iam_update_user(struct call *c, const struct iam_update_user_request *in, struct iam_update_user_response *out);
int iam_upload_server_certificate(struct call *c, const struct iam_upload_server_certificate_request *in,
				  struct iam_upload_server_certificate_response *out);

/* Listings (pages.c). add gets every entity of the page: those of a table whose path begins with a prefix, or the other entities of a
 * table of (id, other id). */
int iam_list_entities(struct call *c, const char *table, struct str path_prefix, const struct iam_page *page,
		      int (*add)(struct call *c, const struct iam_rec_entity *e, void *arg), void *arg);
int iam_list_linked(struct call *c, const char *table, struct str id, const struct iam_page *page,
		    int (*add)(struct call *c, const struct iam_rec_entity *e, void *arg), void *arg);
int iam_add_user_view(struct call *c, const struct iam_rec_entity *e, void *list);
int iam_add_profile_view(struct call *c, const struct iam_rec_entity *e, void *list);
int iam_refuse_policies(struct call *c, const struct iam_rec_entity *e); /* DeleteConflict while policies are left */
