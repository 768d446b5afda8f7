/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_route.c - AWS::EC2::RouteTable, Route, SubnetRouteTableAssociation, VPCGatewayAttachment.
 *
 * What has no id of its own is noted after it was made: taking back a failed creation never takes away what was there
 * before. */
#include "svc/ec2/cfn_int.h"
#include "svc/ec2/ec2_int.h"

/* --- AWS::EC2::RouteTable --- */
static int table_create(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id;
	int e = 0;

	if (!id.p) {
		json_set_str(r->arena, p, "VpcId", json_get_str(r->props, "VpcId"));
		json_set_str(r->arena, p, "ClientToken", cfn_ec2_token(r));
		cfn_ec2_tag_specs(r, p, "route-table");
		e = cfn_call(r, "ec2", "CreateRouteTable", p, &out, NULL);
		if (e < 0)
			return e;
		id = json_get_str(json_getz(out, "RouteTable"), "RouteTableId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	cfn_ec2_attr(r, "RouteTableId", id);
	return e;
}

static int table_update(struct cfn_resource *r)
{
	return cfn_ec2_retag(r, r->physical_id);
}

static int table_delete(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "RouteTableId", r->physical_id);
	e = cfn_call(r, "ec2", "DeleteRouteTable", p, NULL, &code);
	return cfn_ec2_gone(code) ? 0 : e;
}

static const struct cfn_property table_properties[] = { { "Tags", CFN_UPDATE, false }, { "VpcId", CFN_REPLACE, true }, { NULL, 0, false } };
static const char *const table_attributes[] = { "RouteTableId", NULL };
const struct cfn_type cfn_ec2_route_table = {
	.name = "AWS::EC2::RouteTable",
	.properties = table_properties,
	.attributes = table_attributes,
	.create = table_create,
	.update = table_update,
	.delete = table_delete,
	.reader = &cfn_ec2_described_reader,
};

/* --- AWS::EC2::Route: "table|destination" --- */
static const char *const destinations[] = { "DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId", NULL };
static const char *const targets[] = { "CarrierGatewayId",
				       "CoreNetworkArn",
				       "EgressOnlyInternetGatewayId",
				       "GatewayId",
				       "InstanceId",
				       "LocalGatewayId",
				       "NatGatewayId",
				       "NetworkInterfaceId",
				       "TransitGatewayId",
				       "VpcEndpointId",
				       "VpcPeeringConnectionId",
				       NULL };

static struct str destination(const struct json *props)
{
	for (const char *const *d = destinations; *d; d++)
		if (json_getz(props, *d))
			return json_get_str(props, *d);
	return S("");
}

static int route_call(struct cfn_resource *r, const char *op)
{
	struct json *p = cfn_ec2_params(r);

	json_set_str(r->arena, p, "RouteTableId", json_get_str(r->props, "RouteTableId"));
	cfn_ec2_copy(r, p, r->props, destinations);
	cfn_ec2_copy(r, p, r->props, targets);
	return cfn_call(r, "ec2", op, p, NULL, NULL);
}

static int route_create(struct cfn_resource *r)
{
	struct str id = str_printf(r->arena, "%.*s|%.*s", STR(json_get_str(r->props, "RouteTableId")), STR(destination(r->props)));
	int e = r->physical_id.p ? 0 : route_call(r, "CreateRoute");

	if (e < 0)
		return e;
	r->ret_physical_id = id;
	cfn_ec2_attr(r, "CidrBlock", destination(r->props));
	return cfn_note_physical(r, id);
}

static int route_update(struct cfn_resource *r)
{
	return route_call(r, "ReplaceRoute");
}

static int route_delete(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "RouteTableId", json_get_str(r->old_props, "RouteTableId"));
	cfn_ec2_copy(r, p, r->old_props, destinations);
	e = cfn_call(r, "ec2", "DeleteRoute", p, NULL, &code);
	return cfn_ec2_gone(code) ? 0 : e;
}

static const struct cfn_property route_properties[] = {
	{ "CarrierGatewayId", CFN_UPDATE, false },
	{ "CoreNetworkArn", CFN_UPDATE, false },
	{ "DestinationCidrBlock", CFN_REPLACE, false },
	{ "DestinationIpv6CidrBlock", CFN_REPLACE, false },
	{ "DestinationPrefixListId", CFN_REPLACE, false },
	{ "EgressOnlyInternetGatewayId", CFN_UPDATE, false },
	{ "GatewayId", CFN_UPDATE, false },
	{ "InstanceId", CFN_UPDATE, false },
	{ "LocalGatewayId", CFN_UPDATE, false },
	{ "NatGatewayId", CFN_UPDATE, false },
	{ "NetworkInterfaceId", CFN_UPDATE, false },
	{ "RouteTableId", CFN_REPLACE, true },
	{ "TransitGatewayId", CFN_UPDATE, false },
	{ "VpcEndpointId", CFN_UPDATE, false },
	{ "VpcPeeringConnectionId", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const route_attributes[] = { "CidrBlock", NULL };
const struct cfn_type cfn_ec2_route = {
	.name = "AWS::EC2::Route",
	.properties = route_properties,
	.attributes = route_attributes,
	.create = route_create,
	.update = route_update,
	.delete = route_delete,
	.reader = &cfn_ec2_route_reader,
};

/* --- AWS::EC2::SubnetRouteTableAssociation --- */
static int association_create(struct cfn_resource *r)
{
	static const char *const same[] = { "RouteTableId", "SubnetId", NULL };
	struct json *p = cfn_ec2_params(r), *out;
	struct str id = r->physical_id;
	int e = 0;

	if (!id.p) {
		cfn_ec2_copy(r, p, r->props, same);
		e = cfn_call(r, "ec2", "AssociateRouteTable", p, &out, NULL); /* the same again gives the same id */
		if (e < 0)
			return e;
		id = json_get_str(out, "AssociationId");
		e = cfn_note_physical(r, id);
	}
	r->ret_physical_id = id;
	cfn_ec2_attr(r, "Id", id);
	return e;
}

static int association_delete(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r);
	struct str code = STR_NONE;
	int e;

	json_set_str(r->arena, p, "AssociationId", r->physical_id);
	e = cfn_call(r, "ec2", "DisassociateRouteTable", p, NULL, &code);
	return cfn_ec2_gone(code) ? 0 : e;
}

static int association_update(struct cfn_resource *r)
{
	struct json *p = cfn_ec2_params(r), *out;
	int e;

	json_set_str(r->arena, p, "AssociationId", r->physical_id);
	json_set_str(r->arena, p, "RouteTableId", json_get_str(r->props, "RouteTableId"));
	e = cfn_call(r, "ec2", "ReplaceRouteTableAssociation", p, &out, NULL);
	if (e < 0)
		return e;
	r->ret_physical_id = json_get_str(out, "NewAssociationId");
	cfn_ec2_attr(r, "Id", r->ret_physical_id);
	return 0;
}

/* A replacement would meet the old association of the same subnet; so another table is set in place, under a new id. */
static const struct cfn_property association_properties[] = { { "RouteTableId", CFN_UPDATE, true },
							      { "SubnetId", CFN_REPLACE, true },
							      { NULL, 0, false } };
static const char *const association_attributes[] = { "Id", NULL };
const struct cfn_type cfn_ec2_association = {
	.name = "AWS::EC2::SubnetRouteTableAssociation",
	.properties = association_properties,
	.attributes = association_attributes,
	.create = association_create,
	.update = association_update,
	.delete = association_delete,
	.reader = &cfn_ec2_association_reader,
};

/* --- AWS::EC2::VPCGatewayAttachment: "IGW|vpc" --- */
static int attach(struct cfn_resource *r, const char *op, const struct json *props, struct str *ret_code)
{
	struct json *p = cfn_ec2_params(r);

	json_set_str(r->arena, p, "InternetGatewayId", json_get_str(props, "InternetGatewayId"));
	json_set_str(r->arena, p, "VpcId", json_get_str(props, "VpcId"));
	return cfn_call(r, "ec2", op, p, NULL, ret_code);
}

static int attachment_check(struct cfn_resource *r)
{
	if (json_getz(r->props, "VpnGatewayId"))
		return cfn_fail(r, "Virtual private gateways are not implemented by this cloud.");
	if (!json_getz(r->props, "InternetGatewayId"))
		return cfn_fail(r, "Either InternetGatewayId or VpnGatewayId must be specified.");
	return 0;
}

static int attachment_create(struct cfn_resource *r)
{
	struct str id = str_printf(r->arena, "IGW|%.*s", STR(json_get_str(r->props, "VpcId")));
	int e = attachment_check(r);

	if (e == 0 && !r->physical_id.p)
		e = attach(r, "AttachInternetGateway", r->props, NULL);
	if (e < 0)
		return e;
	r->ret_physical_id = id;
	cfn_ec2_attr(r, "AttachmentType", S("IGW"));
	return cfn_note_physical(r, id);
}

static int attachment_delete(struct cfn_resource *r)
{
	struct str code = STR_NONE;
	int e = attach(r, "DetachInternetGateway", r->old_props, &code);

	return cfn_ec2_gone(code) ? 0 : e;
}

static int attachment_update(struct cfn_resource *r)
{
	int e = attachment_check(r);

	if (e < 0 || !cfn_ec2_changed(r, "InternetGatewayId"))
		return e;
	e = attachment_delete(r);
	return e < 0 ? e : attach(r, "AttachInternetGateway", r->props, NULL);
}

static const struct cfn_property attachment_properties[] = {
	{ "InternetGatewayId", CFN_UPDATE, false },
	{ "VpcId", CFN_REPLACE, true },
	{ "VpnGatewayId", CFN_UPDATE, false },
	{ NULL, 0, false },
};
static const char *const attachment_attributes[] = { "AttachmentType", NULL };
const struct cfn_type cfn_ec2_attachment = {
	.name = "AWS::EC2::VPCGatewayAttachment",
	.properties = attachment_properties,
	.attributes = attachment_attributes,
	.create = attachment_create,
	.update = attachment_update,
	.delete = attachment_delete,
	.reader = &cfn_ec2_attachment_reader,
};
