/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h - responses for alice, made by tests/idp.py with a key that was thrown away: nothing else will ever be signed with it. */
#pragma once

#define SAMPLE_CERTIFICATE                                                                                                                 \
	"MIIBLjCB1KADAgECAhQgmeD1rqZtqz4bZFC+jPwO3a94hDAKBggqhkjOPQQDAjAOMQwwCgYDVQQDDANpZHAwHhcNMjYxMTIwMDkzMzA1WhcNMjYxMTIzMDkz"         \
	"MzA1WjAOMQwwCgYDVQQDDANpZHAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQPcDTpTOk2QCO0eWT+2IOmI86XjZqEk4bHOTeUX0QgZdKIXpbOiWA9lpHX"         \
	"cPiTSYCbo14f777JNLNMNumf8aHfoxAwDjAMBgNVHRMBAf8EAjAAMAoGCCqGSM49BAMCA0kAMEYCIQCDEwxL2mqGZF4pouV0VDtGi/Xk1Wm7RaWaKtP+r5Jh"         \
	"FAIhAMiS8HO9LUiMhn4ADpt9Ah58MUenS/XLt9D24Gvelqex"

#define SAMPLE_ASSERTION                                                                                                                   \
	"<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_7abe7ea298eb454a861c0ef352f27bdc\" Version=\""         \
	"2.0\" IssueInstant=\"2026-11-21T09:33:05.750Z\" Destination=\"https://signin.aws.amazon.com/saml\"><saml:Issuer xmlns:sa"         \
	"ml=\"urn:oasis:names:tc:SAML:2.0:assertion\">https://idp.example.test/saml</saml:Issuer><samlp:Status><samlp:StatusCode "         \
	"Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status><saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAM"         \
	"L:2.0:assertion\" ID=\"_7e6f2e1b3ff34b5fb02d7cdb9703b68b\" Version=\"2.0\" IssueInstant=\"2026-11-21T09:33:05.750Z\"><sa"         \
	"ml:Issuer>https://idp.example.test/saml</saml:Issuer><ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:S"         \
	"ignedInfo><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/><ds:SignatureMethod Algorith"         \
	"m=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\"/><ds:Reference URI=\"#_7e6f2e1b3ff34b5fb02d7cdb9703b68b\"><ds:"         \
	"Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/><ds:Transform Algorithm=\""         \
	"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc"         \
	"#sha256\"/><ds:DigestValue>53QyBGf3cqopkQhNQ+hVATEAwSAMLV4FMzmRdyNAxC8=</ds:DigestValue></ds:Reference></ds:SignedInfo><"         \
	"ds:SignatureValue>SLyXxr7QQOFNfU/vU/JCj9Ko5ZG2/dv54bQLKtlNoGpYDVraNKTwXY9zh/oPuA4XVDBNm2djdzXQ\nB6YJqqFJqQ==\n</ds:Signa"         \
	"tureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>MIIBLjCB1KADAgECAhQgmeD1rqZtqz4bZFC+jPwO3a94hDAKBggqhkjOPQQDAjAOM"         \
	"QwwCgYDVQQD\nDANpZHAwHhcNMjYxMTIwMDkzMzA1WhcNMjYxMTIzMDkzMzA1WjAOMQwwCgYDVQQDDANpZHAwWTAT\nBgcqhkjOPQIBBggqhkjOPQMBBwNCA"         \
	"AQPcDTpTOk2QCO0eWT+2IOmI86XjZqEk4bHOTeUX0QgZdKI\nXpbOiWA9lpHXcPiTSYCbo14f777JNLNMNumf8aHfoxAwDjAMBgNVHRMBAf8EAjAAMAoGCCq"         \
	"GSM49\nBAMCA0kAMEYCIQCDEwxL2mqGZF4pouV0VDtGi/Xk1Wm7RaWaKtP+r5JhFAIhAMiS8HO9LUiMhn4A\nDpt9Ah58MUenS/XLt9D24Gvelqex\n</ds:"         \
	"X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature><saml:Subject><saml:NameID Format=\"urn:oasis:names:tc:SAML:2."         \
	"0:nameid-format:persistent\">alice</saml:NameID><saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer"         \
	"\"><saml:SubjectConfirmationData NotOnOrAfter=\"2026-11-21T09:37:05.750Z\" Recipient=\"https://signin.aws.amazon.com/sam"         \
	"l\"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore=\"2026-11-21T09:32:05.750Z\" NotOnOrAfter=\"20"         \
	"26-11-21T09:37:05.750Z\"><saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceR"         \
	"estriction></saml:Conditions><saml:AuthnStatement AuthnInstant=\"2026-11-21T09:33:05.750Z\"><saml:AuthnContext><saml:Aut"         \
	"hnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:"         \
	"AuthnStatement><saml:AttributeStatement><saml:Attribute Name=\"https://aws.amazon.com/SAML/Attributes/Role\"><saml:Attri"         \
	"buteValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type"         \
	"=\"xs:string\">arn:aws:iam::123456789012:role/sso,arn:aws:iam::123456789012:saml-provider/corp</saml:AttributeValue></sa"         \
	"ml:Attribute><saml:Attribute Name=\"https://aws.amazon.com/SAML/Attributes/RoleSessionName\"><saml:AttributeValue xmlns:"         \
	"xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"xs:string\">a"         \
	"lice@example.test</saml:AttributeValue></saml:Attribute><saml:Attribute Name=\"https://aws.amazon.com/SAML/Attributes/Pr"         \
	"incipalTag:team\"><saml:AttributeValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/"         \
	"XMLSchema-instance\" xsi:type=\"xs:string\">blue &amp; green</saml:AttributeValue></saml:Attribute></saml:AttributeState"         \
	"ment></saml:Assertion></samlp:Response>"

#define SAMPLE_RESPONSE                                                                                                                    \
	"<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_17238d59e5794b46bed9b2c8e9013978\" Version=\""         \
	"2.0\" IssueInstant=\"2026-11-21T09:33:05.755Z\" Destination=\"https://signin.aws.amazon.com/saml\"><saml:Issuer xmlns:sa"         \
	"ml=\"urn:oasis:names:tc:SAML:2.0:assertion\">https://idp.example.test/saml</saml:Issuer><ds:Signature xmlns:ds=\"http://"         \
	"www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c1"         \
	"4n#\"/><ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\"/><ds:Reference URI=\"#_1723"         \
	"8d59e5794b46bed9b2c8e9013978\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-sign"         \
	"ature\"/><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms><ds:DigestMethod Algorithm"         \
	"=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>EkdGCElKuw9yGEmkhoKSc72Fe5VI5Px0llbscRQ0izM=</ds:DigestVal"         \
	"ue></ds:Reference></ds:SignedInfo><ds:SignatureValue>mMDfZeybQHjn4Qk754wgVZ3mQJ+5NNSAyPafzefvh/LQen0EExhEYB8KnEeKfO8LxEJ"         \
	"6d2IB5we5\nEm53UT9W6Q==\n</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>MIIBLjCB1KADAgECAhQgmeD1rqZtqz"         \
	"4bZFC+jPwO3a94hDAKBggqhkjOPQQDAjAOMQwwCgYDVQQD\nDANpZHAwHhcNMjYxMTIwMDkzMzA1WhcNMjYxMTIzMDkzMzA1WjAOMQwwCgYDVQQDDANpZHAw"         \
	"WTAT\nBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQPcDTpTOk2QCO0eWT+2IOmI86XjZqEk4bHOTeUX0QgZdKI\nXpbOiWA9lpHXcPiTSYCbo14f777JNLNMNumf"         \
	"8aHfoxAwDjAMBgNVHRMBAf8EAjAAMAoGCCqGSM49\nBAMCA0kAMEYCIQCDEwxL2mqGZF4pouV0VDtGi/Xk1Wm7RaWaKtP+r5JhFAIhAMiS8HO9LUiMhn4A\n"         \
	"Dpt9Ah58MUenS/XLt9D24Gvelqex\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature><samlp:Status><samlp:Status"         \
	"Code Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status><saml:Assertion xmlns:saml=\"urn:oasis:names:t"         \
	"c:SAML:2.0:assertion\" ID=\"_b5afd076a76d4971add785682eacd7f7\" Version=\"2.0\" IssueInstant=\"2026-11-21T09:33:05.755Z"          \
	"\"><saml:Issuer>https://idp.example.test/saml</saml:Issuer><saml:Subject><saml:NameID Format=\"urn:oasis:names:tc:SAML:2"         \
	".0:nameid-format:persistent\">alice</saml:NameID><saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:beare"         \
	"r\"><saml:SubjectConfirmationData NotOnOrAfter=\"2026-11-21T09:37:05.755Z\" Recipient=\"https://signin.aws.amazon.com/sa"         \
	"ml\"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore=\"2026-11-21T09:32:05.755Z\" NotOnOrAfter=\"2"         \
	"026-11-21T09:37:05.755Z\"><saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:Audience"         \
	"Restriction></saml:Conditions><saml:AuthnStatement AuthnInstant=\"2026-11-21T09:33:05.755Z\"><saml:AuthnContext><saml:Au"         \
	"thnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml"         \
	":AuthnStatement><saml:AttributeStatement><saml:Attribute Name=\"https://aws.amazon.com/SAML/Attributes/Role\"><saml:Attr"         \
	"ibuteValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:typ"         \
	"e=\"xs:string\">arn:aws:iam::123456789012:role/sso,arn:aws:iam::123456789012:saml-provider/corp</saml:AttributeValue></s"         \
	"aml:Attribute><saml:Attribute Name=\"https://aws.amazon.com/SAML/Attributes/RoleSessionName\"><saml:AttributeValue xmlns"         \
	":xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"xs:string\">"         \
	"alice@example.test</saml:AttributeValue></saml:Attribute><saml:Attribute Name=\"https://aws.amazon.com/SAML/Attributes/P"         \
	"rincipalTag:team\"><saml:AttributeValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001"         \
	"/XMLSchema-instance\" xsi:type=\"xs:string\">blue &amp; green</saml:AttributeValue></saml:Attribute></saml:AttributeStat"         \
	"ement></saml:Assertion></samlp:Response>"

#define SAMPLE_BOTH                                                                                                                        \
	"<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_c5804b9f55f54305a5d3af271372f0ec\" Version=\""         \
	"2.0\" IssueInstant=\"2026-11-21T09:33:05.756Z\" Destination=\"https://signin.aws.amazon.com/saml\"><saml:Issuer xmlns:sa"         \
	"ml=\"urn:oasis:names:tc:SAML:2.0:assertion\">https://idp.example.test/saml</saml:Issuer><ds:Signature xmlns:ds=\"http://"         \
	"www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c1"         \
	"4n#\"/><ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\"/><ds:Reference URI=\"#_c580"         \
	"4b9f55f54305a5d3af271372f0ec\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-sign"         \
	"ature\"/><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms><ds:DigestMethod Algorithm"         \
	"=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue>eGoheJMmYG/5xFpHhH2d/1GDP0bdFGrOniHhtky6mi0=</ds:DigestVal"         \
	"ue></ds:Reference></ds:SignedInfo><ds:SignatureValue>0nt2tQw3MXx+c0hqRHznHG2kKYC7XYhkj5jGgohTzmJdzDat0Pml+pAA2xhnUoCX6bW"         \
	"XxGGSysE6\nVvxo4Eoq0Q==\n</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>MIIBLjCB1KADAgECAhQgmeD1rqZtqz"         \
	"4bZFC+jPwO3a94hDAKBggqhkjOPQQDAjAOMQwwCgYDVQQD\nDANpZHAwHhcNMjYxMTIwMDkzMzA1WhcNMjYxMTIzMDkzMzA1WjAOMQwwCgYDVQQDDANpZHAw"         \
	"WTAT\nBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQPcDTpTOk2QCO0eWT+2IOmI86XjZqEk4bHOTeUX0QgZdKI\nXpbOiWA9lpHXcPiTSYCbo14f777JNLNMNumf"         \
	"8aHfoxAwDjAMBgNVHRMBAf8EAjAAMAoGCCqGSM49\nBAMCA0kAMEYCIQCDEwxL2mqGZF4pouV0VDtGi/Xk1Wm7RaWaKtP+r5JhFAIhAMiS8HO9LUiMhn4A\n"         \
	"Dpt9Ah58MUenS/XLt9D24Gvelqex\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature><samlp:Status><samlp:Status"         \
	"Code Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status><saml:Assertion xmlns:saml=\"urn:oasis:names:t"         \
	"c:SAML:2.0:assertion\" ID=\"_0b806237ec464b4db5591e6fb7871f62\" Version=\"2.0\" IssueInstant=\"2026-11-21T09:33:05.756Z"          \
	"\"><saml:Issuer>https://idp.example.test/saml</saml:Issuer><ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\""         \
	"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/><ds:SignatureMethod Al"         \
	"gorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\"/><ds:Reference URI=\"#_0b806237ec464b4db5591e6fb7871f62"          \
	"\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/><ds:Transform Algor"         \
	"ithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04"         \
	"/xmlenc#sha256\"/><ds:DigestValue>DhZ+fiHS5BPG9HrIrTE5LtXdLCpkmcN3pMMqJkG2CNA=</ds:DigestValue></ds:Reference></ds:Signe"         \
	"dInfo><ds:SignatureValue>/NwYcFoL8+qXlidKvVsJfcRUcc//lB5UHOz2ypgMyYHKngOoVk2KqAHGObkdRvE7dHmtnwV1fiQS\niwOqTr6Rsg==\n</d"         \
	"s:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>MIIBLjCB1KADAgECAhQgmeD1rqZtqz4bZFC+jPwO3a94hDAKBggqhkjOPQ"         \
	"QDAjAOMQwwCgYDVQQD\nDANpZHAwHhcNMjYxMTIwMDkzMzA1WhcNMjYxMTIzMDkzMzA1WjAOMQwwCgYDVQQDDANpZHAwWTAT\nBgcqhkjOPQIBBggqhkjOPQ"         \
	"MBBwNCAAQPcDTpTOk2QCO0eWT+2IOmI86XjZqEk4bHOTeUX0QgZdKI\nXpbOiWA9lpHXcPiTSYCbo14f777JNLNMNumf8aHfoxAwDjAMBgNVHRMBAf8EAjAA"         \
	"MAoGCCqGSM49\nBAMCA0kAMEYCIQCDEwxL2mqGZF4pouV0VDtGi/Xk1Wm7RaWaKtP+r5JhFAIhAMiS8HO9LUiMhn4A\nDpt9Ah58MUenS/XLt9D24Gvelqex"         \
	"\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature><saml:Subject><saml:NameID Format=\"urn:oasis:names:tc:"         \
	"SAML:2.0:nameid-format:persistent\">alice</saml:NameID><saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm"         \
	":bearer\"><saml:SubjectConfirmationData NotOnOrAfter=\"2026-11-21T09:37:05.756Z\" Recipient=\"https://signin.aws.amazon."         \
	"com/saml\"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore=\"2026-11-21T09:32:05.756Z\" NotOnOrAft"         \
	"er=\"2026-11-21T09:37:05.756Z\"><saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:Au"         \
	"dienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant=\"2026-11-21T09:33:05.756Z\"><saml:AuthnContext><s"         \
	"aml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>"         \
	"</saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name=\"https://aws.amazon.com/SAML/Attributes/Role\"><sam"         \
	"l:AttributeValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" x"         \
	"si:type=\"xs:string\">arn:aws:iam::123456789012:role/sso,arn:aws:iam::123456789012:saml-provider/corp</saml:AttributeVal"         \
	"ue></saml:Attribute><saml:Attribute Name=\"https://aws.amazon.com/SAML/Attributes/RoleSessionName\"><saml:AttributeValue"         \
	" xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"xs:str"         \
	"ing\">alice@example.test</saml:AttributeValue></saml:Attribute><saml:Attribute Name=\"https://aws.amazon.com/SAML/Attrib"         \
	"utes/PrincipalTag:team\"><saml:AttributeValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.or"         \
	"g/2001/XMLSchema-instance\" xsi:type=\"xs:string\">blue &amp; green</saml:AttributeValue></saml:Attribute></saml:Attribu"         \
	"teStatement></saml:Assertion></samlp:Response>"
